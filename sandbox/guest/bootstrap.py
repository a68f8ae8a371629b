"""The few lines that a slot's Python starts with: take the guest's sources from stdin and import them from memory.

The image therefore holds no code of ours, and a stale image cannot run stale guest code. This file is sent as the argument of
``python -c``; it runs before any other file of the guest is there.
"""

import json
import os
import sys
from importlib.machinery import ModuleSpec
from typing import ClassVar


def _take(size):  # type: ignore[no-untyped-def]
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


class Guest:
    """Finder and loader of the modules that came over stdin."""

    sources: ClassVar["dict[str, str]"] = {}

    @classmethod
    def find_spec(cls, name, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ARG003 - the protocol of finders
        """The spec of one of ours, else None."""
        packages = ("sandbox", "sandbox.guest")
        return ModuleSpec(name, cls(), is_package=name in packages) if name in cls.sources else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec):  # type: ignore[no-untyped-def]
        """The default module object."""

    @classmethod
    def exec_module(cls, module):  # type: ignore[no-untyped-def]
        """Run the source."""
        exec(compile(cls.sources[module.__name__], module.__name__, "exec"), module.__dict__)


if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if entry and "site-packages" not in entry]
    Guest.sources = json.loads(_take(int.from_bytes(_take(4), "big")))  # type: ignore[no-untyped-call]
    sys.meta_path.insert(0, Guest)
    __import__("sandbox.guest.supervisor").guest.supervisor.main()
