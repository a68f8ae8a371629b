"""Two sides in one process that speak through JSON: what one holds, the other sees as if there were one."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.guest import codec, handles, operations
from sandbox.guest.peer import Message, Peer


class Side(Peer):
    """One of a pair."""

    def __init__(self, first: int, drops: bool) -> None:
        self.first, self.drops = first, drops
        self.other: Side
        super().__init__()

    def exchange(self, request: Message) -> Message:
        self.other.listen()
        reply = self.other.perform(json.loads(json.dumps(request)))
        self.listen()
        return dict(json.loads(json.dumps(reply)))


@pytest.fixture
def pair() -> Iterator[tuple[Side, Side]]:
    """(the test's side, the solution's side)."""
    yield both()
    handles.forget()


def both() -> tuple[Side, Side]:
    here, there = Side(1, drops=True), Side(2, drops=False)
    here.other, there.other = there, here
    here.listen()
    return here, there


def given_to(here: Side, there: Side, value: Any) -> Any:
    """What stands here for an object of the other side."""
    there.listen()
    reply = there.sending({"value": there.pack(value)})
    here.listen()
    return here.outcome(json.loads(json.dumps(reply)))


class Account:
    """Something of the solution's."""

    bank = "B"

    def __init__(self, owner: str) -> None:
        self.owner, self.entries, self.last = owner, [1], self

    def pay(self, amount: int, *, into: list[int] | None = None) -> list[int]:
        (self.entries if into is None else into).append(amount)
        return self.entries

    def fail(self) -> None:
        raise Short("too little", self.entries)

    def twice(self, function: Any, value: Any) -> Any:
        return function(function(value))

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and self.owner == other.owner

    def __hash__(self) -> int:
        return hash(self.owner)


class Short(ValueError):
    """An error of the solution's."""

    @property
    def left(self) -> int:
        return 7


class Level(int):
    """A number with more."""

    def next(self) -> Level:
        return Level(self + 1)


@pytest.fixture(autouse=True)
def _of_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in (Account, Short, Level):
        monkeypatch.setattr(cls, "__module__", "solution")


def test_an_object_is_asked_for_everything_and_holds_nothing(pair: tuple[Side, Side]) -> None:
    mine = Account("a")
    theirs = given_to(*pair, mine)
    assert type(theirs) is not Account
    assert (type(theirs).__name__, theirs.owner, theirs.bank, len(theirs)) == ("Account", "a", "B", 1)
    assert theirs.last is theirs
    assert theirs.pay(5) == [1, 5] == mine.entries
    theirs.owner = "b"
    assert mine.owner == "b"
    assert vars(theirs)["owner"] == "b"
    assert not hasattr(theirs, "nothing")
    made = type(theirs)("c")
    assert isinstance(made, type(theirs))
    assert made.owner == "c"
    assert theirs != made


def test_containers_are_one_on_both_sides(pair: tuple[Side, Side]) -> None:
    mine = Account("a")
    theirs = given_to(*pair, mine)
    entries = theirs.entries
    assert entries is theirs.entries
    entries.append(2)
    assert theirs.pay(3) is entries
    assert mine.entries == entries == [1, 2, 3]
    own: list[int] = []
    theirs.pay(4, into=own)
    assert own == [4]
    cycle: list[Any] = [own]
    cycle.append(cycle)
    theirs.extra = cycle
    assert mine.extra[1] is mine.extra  # type: ignore[attr-defined]
    mine.extra[0].append(9)  # type: ignore[attr-defined]
    assert len(theirs) == 3
    assert own == [4, 9]


def test_what_nobody_holds_any_more_is_forgotten_on_both_sides(pair: tuple[Side, Side]) -> None:
    here, there = pair
    theirs = given_to(here, there, Account("a"))
    for _ in range(50):
        theirs.pay(1, into=[0] * 10)
    assert len(here.kept) <= 2
    assert len(there.kept) <= 2


def test_functions_of_the_test_are_called_from_over_there(pair: tuple[Side, Side]) -> None:
    theirs = given_to(*pair, Account("a"))
    seen: list[Any] = []
    assert theirs.twice(lambda x: seen.append(x) or x + 1, 1) == 3  # type: ignore[func-returns-value]
    assert seen == [1, 2]

    def raises(_: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        theirs.twice(raises, 1)
    assert type(caught.value) is KeyError


def test_errors_keep_class_text_cause_and_fields(pair: tuple[Side, Side]) -> None:
    theirs = given_to(*pair, Account("a"))
    cls = given_to(*pair, Short)
    assert issubclass(cls, ValueError)
    with pytest.raises(cls, match="too little") as caught:
        theirs.fail()
    assert caught.value.args[1] == [1]
    assert caught.value.left == 7  # type: ignore[attr-defined]


def test_a_number_with_more_is_compared_here(pair: tuple[Side, Side]) -> None:
    level = given_to(*pair, Level(3))
    assert level == 3
    assert level + 1 == 4
    assert isinstance(level, int)
    assert level.next() == 4


class Lying(list[int]):
    """Says what it holds."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"value": {"R": 999}},
        {"value": {"H": [2, 4, []]}},
        {"value": {"K": 2}},
        {"value": {"L": 2}},
        {"value": {"E": [2, None, ["X", "no such", [], {}, None, None]]}},
        {"value": {"E": [2, None, ["SkipTest", "unittest.case.SkipTest", [], {}, None, None]]}},
        {"value": {"S": ["os", "system"]}},
        {"value": {"S": ["types", "nothing"]}},
        {"value": {"S": ["", "SkipTest"]}},
        {"value": 1, "kept": [[1, {"": []}]]},
        {"value": 1, "kept": [[2, {"": []}], [2, {"d": []}]]},
        {"value": 1, "classes": [[3, {}]]},
        {"value": 1, "drop": [2]},
        {"own": 5},
        {},
    ],
)
def test_nonsense_is_an_error_and_never_a_value(pair: tuple[Side, Side], nonsense: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, codec.Opaque)):
        pair[0].outcome(nonsense)


def test_operations_are_a_fixed_list(pair: tuple[Side, Side]) -> None:
    here, there = pair
    theirs = given_to(here, there, Account("a"))
    for operation in ("eval", "__class__", "__reduce__", "__init_subclass__"):
        assert operation not in operations.OPERATIONS
        with pytest.raises(KeyError):
            here.ask(operation, theirs)


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(collections.deque, st.lists(inner, max_size=3), st.none() | st.integers(3, 5))
        | st.builds(collections.OrderedDict, st.dictionaries(st.text(max_size=2), inner, max_size=3))
        | st.sets(st.integers(0, 9), max_size=3)
        | st.builds(bytearray, st.binary(max_size=3))
    ),
    max_leaves=12,
)


class Holder:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.held: Any = None

    def hold(self, value: Any) -> None:
        self.held = value

    def change(self, path: list[int], value: Any) -> None:
        change(self.held, path, value)


def change(value: Any, path: list[int], new: Any) -> None:
    """Put something into a list somewhere below."""
    for step in path:
        inner = [item for item in value if isinstance(item, list)]
        if inner:
            value = inner[step % len(inner)]
    value.append(new)


@settings(max_examples=60, deadline=None)
@given(st.lists(DATA, max_size=4), st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 2), max_size=3), DATA), max_size=5))
def test_whoever_changes_what_both_sides_hold_alike(data: list[Any], changes: list[tuple[bool, list[int], Any]]) -> None:
    Holder.__module__ = "solution"
    here, there = both()
    holder = Holder()
    theirs = given_to(here, there, holder)
    data.append(data[:])
    theirs.hold(data)
    for at_home, path, new in changes:
        if at_home:
            change(data, path, new)
        else:
            theirs.change(path, new)
        assert theirs.held is data
        assert holder.held == data
        assert list(map(type, holder.held)) == list(map(type, data))
