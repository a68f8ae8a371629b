"""What the test lends to a solution: which of its objects may be held over there, and what may be asked of them.

Functions may be called, objects of the test's own classes asked for fields, streams read, mocks called. Of a test case nothing is
lent but helper methods of its own, no record of a mock is read or changed, no method is replaced; what a solution sets on a mock is
plain data.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import enum
import io
import operator
import types
import unittest
from functools import partial
from typing import Any, List  # noqa: UP035

from sandbox.guest import codec, handles, operations

_TEST = "generated_test"
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, partial)
_OF_CLASSES = (types.MethodWrapperType, types.MethodDescriptorType, types.WrapperDescriptorType)
_OF_OPERATOR = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_STREAMS = (io.StringIO, io.BytesIO)


def may_leave(value: Any) -> None:
    """Raises codec.Opaque for an object of the test's that the solution may have no handle of."""
    cls = type(value)
    if isinstance(value, type):
        fine = value.__module__ == _TEST and not issubclass(value, unittest.TestCase)
    elif cls.__module__ == "builtins":
        fine = isinstance(value, (*_FUNCTIONS, *_ASYNC, *_OF_CLASSES, *_VIEWS)) or cls is object
        fine = fine or hasattr(cls, "__next__") or cls.__name__ in _STEPS
    elif _of_loop(cls):
        fine = True
    else:
        fine = isinstance(value, (*_FUNCTIONS, *_OF_OPERATOR, *_STREAMS)) or _is_mock(cls) or cls.__module__ in (_TEST, "itertools")
    if not fine:
        raise codec.Opaque(f"a {cls.__name__} of the test's")


def changed(value: Any, before: dict[str, Any]) -> bool:
    """Whether a method of a test's object is hidden by a field that it had not, or a test case or something frozen is another."""
    now = vars(value)
    frozen = getattr(getattr(type(value), "__dataclass_params__", None), "frozen", False)
    methods = {name for cls in type(value).__mro__ for name, held in vars(cls).items() if isinstance(held, types.FunctionType)}
    hidden = any(name not in before and name in methods for name in now)
    hidden = hidden or any(isinstance(held, unittest.TestCase) and now.get(name) is not held for name, held in before.items())
    return hidden or (frozen and (now.keys() != before.keys() or any(now[name] is not before[name] for name in now)))


def of_unittest(value: Any) -> bool:
    """A test case, or a class of them."""
    return isinstance(value, unittest.TestCase) or (isinstance(value, type) and issubclass(value, unittest.TestCase))


_OF_UNITTEST = ("_", "test", "assert", "fail", "setUp", "tearDown", "async")


def _is_helper(cls: type, name: str) -> bool:
    """Whether the test's own class has a method under a name that unittest does not know."""
    found = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    return isinstance(found, types.FunctionType) and not name.startswith(_OF_UNITTEST) and not hasattr(unittest.TestCase, name)


def _is_mock(cls: type) -> bool:
    return any(base.__module__ == "unittest.mock" for base in cls.__mro__)


_ASYNC = (types.CoroutineType, types.AsyncGeneratorType)
_STEPS = frozenset(("async_generator_asend", "async_generator_athrow"))
"""What an asynchronous generator gives to be awaited."""
_QUEUE = frozenset("put get put_nowait get_nowait empty full qsize task_done join maxsize".split())
_LOCK = frozenset("acquire release locked".split())
_FUTURE = frozenset("done cancelled result exception set_result set_exception add_done_callback remove_done_callback".split())
_LOOP = {
    "Queue": _QUEUE,
    "PriorityQueue": _QUEUE,
    "LifoQueue": _QUEUE,
    "Event": frozenset("set clear is_set wait".split()),
    "Lock": _LOCK,
    "Semaphore": _LOCK,
    "BoundedSemaphore": _LOCK,
    "Condition": _LOCK | frozenset("notify notify_all wait wait_for".split()),
    "Future": _FUTURE | {"cancel"},
    "Task": _FUTURE - {"set_result", "set_exception"} | {"get_name"},
}
"""Methods of asyncio's own objects, by the names of their classes. A task of the test's ends as the test says."""


def _of_loop(cls: type) -> str:
    """The name of a class of asyncio's that may be lent; empty for others."""
    return cls.__name__ if cls.__module__.partition(".")[0] in ("asyncio", "_asyncio") and cls.__name__ in _LOOP else ""


_NAMES = frozenset(("__name__", "__qualname__", "__doc__"))


def may_be_asked(value: Any, operation: str, arguments: List[Any]) -> None:  # noqa: UP006
    """Raises AttributeError for what a solution may not do with an object of the test's."""
    cls = type(value)
    if operation == "await" and not isinstance(value, type) and hasattr(cls, "__await__"):
        return
    if operation in ("await", "derive", "above"):
        raise AttributeError(f"{operation!r} is not for a solution")
    name = str(arguments[0]) if operation in ("get", "set", "delete", "send") and arguments else ""
    if isinstance(value, type):
        fine = value.__module__ == _TEST and (operation == "__call__" or (operation in ("get", "send") and name[:1] != "_"))
        fine = (fine or (operation == "get" and name in _NAMES)) and not issubclass(value, unittest.TestCase)
    elif isinstance(value, unittest.TestCase):
        fine = operation in ("get", "send") and _is_helper(cls, name)
    elif isinstance(value, (*_FUNCTIONS, *_OF_CLASSES, *_OF_OPERATOR)):
        fine = operation in ("__call__", "signature", "flags") or (operation == "get" and name in _NAMES)
    elif isinstance(value, _ASYNC) or cls.__name__ in _STEPS:
        fine = operation in operations.AWAITED or (operation == "send" and name in ("asend", "aclose"))
    elif _of_loop(cls):
        fine = operation in operations.SPECIALS or (operation in ("get", "send") and name in _LOOP[_of_loop(cls)])
    elif _is_mock(cls):
        offered = name[:1] not in ("", "_") and not name.startswith("assert") and not hasattr(cls, name) and name not in _RECORDS
        asked = operation == "get" and name == "return_value"
        plain = operation != "set" or not (callable(arguments[1]) or isinstance(arguments[1], handles.Handle))
        fine = asked or operation in operations.SPECIALS or (operation in ("get", "send", "set") and offered and plain)
    elif isinstance(value, _STREAMS) or cls.__module__ in ("builtins", "itertools"):
        fine = operation in operations.SPECIALS or (
            isinstance(value, _STREAMS) and operation in ("get", "send") and name[:1] != "_"
        )
    elif cls.__module__ == _TEST and not isinstance(value, unittest.TestCase):
        changes = operation in ("set", "delete")
        held = getattr(value, name, None) if changes else None
        kept = changes and (
            callable(held) or isinstance(held, unittest.TestCase) or (isinstance(value, enum.Enum) and name[:1] == "_")
        )
        fine = name[:2] != "__" and not kept
    else:
        fine = False
    if not fine:
        raise AttributeError(f"{name or operation!r} is not for a solution")


_RECORDS = frozenset("return_value side_effect called call_count call_args call_args_list method_calls mock_calls".split())
