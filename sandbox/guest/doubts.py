"""What the solution's objects are told, and what a pass is worth that rests on their own word.

To be asked tells an object nothing: a length, an item, a text, the outcome of a method are answers like those of a function. But
``value == expected`` and ``value - expected`` hand it what is expected. So

* where a comparison is the solution's own, where two of its objects are compared by what it says that they hold, and where an
  operator is given a value of the test's, it is *believed*: the pass stands only for a source that was read (``screen.innocent``)
  and is run once more, watched, with other expected values tried at its end (``falsify``);
* an operator, a membership test or the like of an object that nobody expected to be one is *refused*: where the test takes no class
  of its kind from the solution and asks for no field, a number or a list was expected.

What the test has made by calling a class that it takes from the solution may be told freely what to look for. A cell in
which something was refused has no pass, whatever follows. One object for different arguments is equal to itself: a class that
gives it is refused, a function only where such an object is compared.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import dis
from typing import Any, Dict, List, Set, Tuple  # noqa: UP035

from sandbox.guest import handles, operations

PREDICATES = frozenset(
    (
        "startswith endswith issubset issuperset isdisjoint index rindex find rfind count difference symmetric_difference "
        "intersection union difference_update symmetric_difference_update intersection_update remove discard is_integer"
    ).split()
)
"""Methods of plain values that are told what is expected."""
HANDLES, BELIEVED, REFUSED = "handles", "believed", "refused"
"""Objects of the solution's answered, but not about what is expected; they did; they were asked what nobody should ask them."""
_PLAIN: tuple[Any, ...] = (0, 0.5, 0j, "", b"", [], (), {}, set(), frozenset(), range(0))
_PLAIN_NAMES = frozenset(name for value in _PLAIN for name in dir(value))
_MOST = 200
"""Comparisons of a cell that are remembered."""


class Doubts:
    """Those of one cell."""

    def __init__(self) -> None:
        """None yet."""
        self.believed = self.refused = self.merged = False
        self.asks_identity = False
        self.expected: Set[type] = set()  # noqa: UP006
        self.fields: Set[type] = set()  # noqa: UP006
        self.made: Dict[int, Tuple[Any, Any, Any]] = {}  # noqa: UP006
        self.true: Set[int] = set()  # noqa: UP006
        self.predicates: Dict[int, Any] = {}  # noqa: UP006
        self.shared: Set[int] = set()  # noqa: UP006
        self.identical: Set[int] = set()  # noqa: UP006
        self.results: Dict[Any, Dict[str, int]] = {}  # noqa: UP006
        self.told: List[Tuple[str, Any, Any, Any]] = []  # noqa: UP006

    def expects(self, name: str, cls: Any) -> None:
        """The test takes a class from the solution under a name."""
        if isinstance(cls, handles.Remote) and name.lstrip("_")[:1].isupper():
            self.expected.add(cls)

    def about(self, operation: str, value: Any, arguments: Any) -> None:
        """Before an operation on an object of the solution's. Raises TypeError for one that is refused."""
        if operation in operations.COMPARISONS:
            self.believed = True
        elif operation in operations.BINARY:
            self._told(value, arguments)
        elif operation == "__contains__":
            self._told(value, arguments, free=True)
        elif operation in ("get", "send") and arguments[0].startswith("assert_"):  # the test takes it for a mock of its own
            self.refused = True
        elif operation in ("get", "send") and arguments[0] not in _PLAIN_NAMES:
            self.fields.add(value if isinstance(value, type) else type(value))
        elif operation == "send" and arguments[0] in PREDICATES:
            self._told(value, arguments[1:], free=True)
        elif operation == "__call__" and id(value) in self.predicates:
            self._told(self.predicates[id(value)], arguments, free=True)

    def _told(self, value: Any, arguments: Any, *, free: bool = False) -> None:
        told = [item for item in arguments if not _theirs(item) or id(item) in self.made]
        if not told or (free and id(value) in self.made):
            return
        cls = value if isinstance(value, type) else type(value)
        if not any(base in self.expected or base in self.fields for base in cls.__mro__):
            self.refused = True
            raise TypeError(f"unsupported operand: {cls.__name__!r}")
        self.believed = self.believed or not (isinstance(value, type) and cls in self.expected)

    def equal(self, value: Any, other: Any) -> None:
        """Two handles were found equal here: one object, or objects of the same content."""
        if value is other:
            self.identical.add(id(value))
        elif id(value) not in self.true and id(other) not in self.true:
            self.believed = True
            self.remember("__eq__", value, other, True)

    def remember(self, operation: str, value: Any, other: Any, result: Any) -> None:
        """The answer to a comparison, to be tried with other values."""
        if len(self.told) < _MOST:
            self.told.append((operation, value, other, result))

    def came(self, operation: str, value: Any, given: Any, result: Any, *, known: bool) -> None:
        """After it. ``given``: (arguments, keywords); ``known``: the result is an object that was there before."""
        arguments, keywords = given
        if (operation in operations.COMPARISONS or operation in operations.BINARY) and len(arguments) == 1:
            self.remember(operation, value, arguments[0], result)
        if not isinstance(result, handles.Handle):
            return
        if operation == "get" and arguments[0] in PREDICATES:
            self.predicates[id(result)] = value
        if operation == "__call__" and isinstance(value, handles.Remote):
            if "Enum" in handles.library(value):
                self.believed = self.believed or known
                self.gave(id(value), given, result, known=known)
            elif known and (arguments or keywords):
                self.believed = self.merged = True
            elif value in self.expected and type(result) is value:
                self.made[id(result)] = (value, arguments, keywords)
                if tuple(operations.immutable(result)) in ((tuple(arguments),), arguments):
                    self.true.add(id(result))
        elif isinstance(value, type) and operation == "send":
            self.gave((id(value), arguments[0]), (arguments[1:], keywords), result, known=known)
        elif operation == "__call__" or (isinstance(value, type) and operation == "get"):
            self.gave((id(value), operation), given, result, known=known)

    def gave(self, callee: Any, given: Any, result: Any, *, known: bool) -> None:
        """A function, or something of a class, gave an object: the same one for other arguments is worth a doubt."""
        if not isinstance(result, handles.Handle) or id(result) in self.made:
            return
        before = self.results.setdefault(callee, {})
        key = repr([item if not _theirs(item) else id(item) for item in given[0]]) + repr(given[1])
        if known and any(number == id(result) and other != key for other, number in before.items()):
            self.shared.add(id(result))
        before[key] = id(result)

    def word(self) -> str:
        """The worst of them."""
        refused = self.refused or (self.merged and not self.asks_identity) or bool(self.identical & self.shared)
        return REFUSED if refused else BELIEVED if self.believed or self.merged else HANDLES


def _theirs(value: Any) -> bool:
    return isinstance(value, (handles.Handle, handles.Remote, handles.Method))


def ended_assertions(error: BaseException) -> bool:
    """Whether an error that the test did not raise by a statement ended a function of the test's that asserts something."""
    codes: List[Any] = []  # noqa: UP006
    last, trace = None, error.__traceback__
    while trace is not None:
        last = trace
        if trace.tb_frame.f_code.co_filename == "<test>":
            codes.append(trace.tb_frame.f_code)
        trace = trace.tb_next
    if last is None or not any(name.startswith(("assert", "__assert")) for code in codes for name in code.co_names):
        return False
    code = last.tb_frame.f_code
    return code.co_filename != "<test>" or code.co_code[last.tb_lasti] != dis.opmap["RAISE_VARARGS"]
