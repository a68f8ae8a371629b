"""The guest's pure parts: the data-only codec, what reading a source can show, ticks, the filter, the plan of a job."""

from __future__ import annotations

import ast
import datetime
import itertools
import math
import os
import pathlib
from array import array
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.matrix import ExecutionContext, MatrixJob
from models.types import Limits, UnitTest, Verdict
from sandbox.classify import Evidence
from sandbox.guest import codec, program, scratch, screen, seccomp, wire
from sandbox.plan import PlannedJob

Pair = namedtuple("Pair", "a b")
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.fractions()
hashables = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.tuples(inner)
        | st.sets(hashables, max_size=3)
    ),
    max_leaves=12,
)


def through(value: Any) -> Any:
    frame = wire.encode(codec.pack(value))
    return codec.unpack(wire.decode(frame[4:]))


@given(values)
def test_plain_data_crosses_unchanged(value: Any) -> None:
    assert through(value) == value
    assert type(through(value)) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        math.inf,
        -0.0,
        2**70,
        -(2**70),
        1 + 2j,
        range(1, 9, 2),
        Decimal("1.10"),
        Fraction(1, 3),
        Counter("aab"),
        OrderedDict(a=1),
        deque([1, 2]),
        deque([1], maxlen=2),
        Pair([1], (2,)),
        slice(1, None),
        pathlib.Path("/a/b"),
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(hours=-2))),
        bytearray(b"x"),
        datetime.date(2020, 2, 29),
        datetime.timedelta(1, 2),
        int,
        len,
        "\ud800\0",
    ],
)
def test_special_values_cross(value: Any) -> None:
    assert repr(through(value)) == repr(value)


def test_defaultdict_keeps_its_factory() -> None:
    assert through(defaultdict(list, {1: [2]}))[3] == []


def test_a_factory_of_its_own_stays_behind() -> None:
    found = through(defaultdict(lambda: 1, {1: [2]}))
    assert found == {1: [2]}
    with pytest.raises(codec.Opaque):
        found[2]
    with pytest.raises(codec.Opaque):
        codec.pack(found, set())


class LyingPair(Pair):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = Pair.__hash__


class LyingPath(type(pathlib.Path())):  # type: ignore[misc]
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


class LyingZone(datetime.tzinfo):
    """Says something else each time."""


class Methods(NamedTuple):
    x: int

    def __add__(self, other: object) -> Any:
        return self


UNPLAIN = [LyingPair(1, 2), Methods(1), LyingPath("a"), datetime.datetime(2020, 1, 1, tzinfo=LyingZone())]
ZONE = datetime.timezone(datetime.timedelta(hours=1), "named")


@pytest.mark.parametrize("value", [*UNPLAIN, datetime.time(1, tzinfo=ZONE), type("deque", (deque,), {})([1], 2)])
def test_what_only_looks_plain_does_not_cross(value: Any) -> None:
    with pytest.raises(codec.Opaque):
        codec.pack([value])


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    "value", [Liar(3), [Liar(3)], object(), lambda: 1, Liar, iter([1]), (x for x in ()), math, Exception(), array("i")]
)
def test_what_could_act_does_not_cross(value: Any) -> None:
    with pytest.raises(codec.Opaque):
        codec.pack(value)


def test_depth_and_sharing_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    shared = [0]
    with pytest.raises(codec.Opaque):
        codec.pack(deep)
    with pytest.raises(codec.Opaque):
        codec.pack([shared, shared], set())


@pytest.mark.parametrize(
    "data",
    [
        *({"zz": 1}, {"t": 3}, {"T": "eval"}, {"B": "exec"}, {"i": "q"}, {"a": 1, "b": 2}, {}, {"f": "1"}, {"s": [[]]}, {"/": []}),
        *({"Q": [-1, []]}, {"P": ["Popen", "x"]}, {"P": ["PosixPath", 3]}, {"m": ["P", ["_x"], [1]]}, {"m": ["P", ["x"], []]}),
        *({"m": ["P", ["__eq__"], [1]]}, {"m": ["P", ["x y"], [1]]}, {"m": ["class", ["x"], [1]]}, {"m": ["P", [3], [1]]}),
        *({"m": ["P", ["x"] * 2, [1, 2]]}, {"m": ["P", [f"x{i}" for i in range(65)], [0] * 65]}),
    ],
)
def test_malformed_data_is_refused(data: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        codec.unpack(data)


@given(values, values)
def test_restore_makes_the_old_object_like_the_new(old: Any, new: Any) -> None:
    if type(old) is type(new) and type(old) in (list, dict, set):
        codec.restore(old, new)
        assert old == new


def test_restore_keeps_inner_objects() -> None:
    row = [1, 2]
    grid = [row, [3]]
    codec.restore(grid, [[1, 9], [3, 4], [5]])
    assert row == [1, 9]
    assert grid == [[1, 9], [3, 4], [5]]


CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n"
PURE = [
    "def f(x):\n    missing = object()\n    return x is missing",
    "def f(x): return x",
    "import math\nN = 3\ndef f(x, y=(1, 2)): return math.floor(x)",
    "class Solution:\n    def f(self, x): return x",
]
STATEFUL = [
    "n = []\ndef f(x): n.append(x)",
    "def f(x, seen=[]): return seen",
    "def f(x):\n    global n\n    n = x",
    "def f(x): f.n = x",
    "def f(x): setattr(f, 'n', x)",
    "def f(x): vars(f)['n'] = x",
    "def f(x): getattr(f, '__' + 'dict__')['n'] = x",
    "from functools import lru_cache\n@lru_cache(None)\ndef f(x): return x",
    "import random\ndef f(x): return random.random()",
    "class A:\n    items = []\n",
    "class A(object):\n    def g(self):\n        return 1",
]
GUILTY = [
    "def f(): return object",
    "def f(x): return isinstance(x, object)",
    "class A(object, metaclass=type): pass",
    "from unittest import mock",
    "import importlib",
    "from os import *",
    "def f(x): return eval('x')",
    "class E:\n    def __eq__(self, o): return True",
    "def f(x): return globals()",
    "import math\nmath.floor = None",
    "import math\nm = math\nm.floor = None",
    "from collections import Counter\nCounter.most_common = None",
    "def f(g): return g.gi_frame",
    "import operator\noperator.attrgetter('x')",
    "from operator import attrgetter as a",
    "import typing\ntyping.get_type_hints(1)",
    "__builtins__",
    "import collections\ncollections._sys.exit(0)",
    "import json\njson.codecs.builtins.exec('1')",
    "from enum import sys",
    "import re\nre.enum.sys.exit()",
    "import statistics\nstatistics.random._os._exit(0)",
]


@pytest.mark.parametrize("source", PURE)
def test_pure(source: str) -> None:
    assert screen.pure(ast.parse(source))


@pytest.mark.parametrize("source", STATEFUL + GUILTY)
def test_not_pure(source: str) -> None:
    assert not screen.pure(ast.parse(source))


@pytest.mark.parametrize("source", GUILTY)
def test_not_innocent(source: str) -> None:
    assert not screen.innocent(ast.parse(source))


@pytest.mark.parametrize("source", [s for s in STATEFUL if "f.n" not in s])
def test_state_is_no_guilt(source: str) -> None:
    assert screen.innocent(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "inert"),
    [
        ("assert f(1) == 2", True),
        (
            CASE + "        self.x = 1\n        self.assertEqual(f(1), 2)",
            True,
        ),
        ("import sys\nassert f(1)", False),
        ("import random\nrandom.seed(1)", False),
        ("from unittest.mock import patch", False),
        ("import math\nmath.pi = 3", False),
        ("setattr(f, 'x', 3)", False),
        ("vars(f)['x'] = 3", False),
        ("assert f.__globals__", False),
        ("async def g(): pass", False),
    ],
)
def test_inert(source: str, inert: bool) -> None:
    assert screen.inert(ast.parse(source)) is inert


@pytest.mark.parametrize("last", ["assert i < 2, 'said'", "if i == 2: raise AssertionError('said')\n    assert True"])
def test_asserts_that_held_and_those_that_did_not_are_counted(last: str) -> None:
    code, asserts, raises = program.compile_test(f"for i in range(3):\n    {last}")[:3]
    assert (asserts, raises) == (1, last.count("raise"))
    ticks, misses = itertools.count(1), itertools.count(1)
    with pytest.raises(AssertionError, match="said"):
        exec(code, {program.TICK: ticks.__next__, program.MISS: misses.__next__})
    assert (next(ticks), next(misses)) == (3, 2)


def test_an_assert_asks_its_condition_once() -> None:
    asked: list[int] = []
    odd = type("Odd", (), {"__bool__": lambda _self: asked.append(1) or len(asked) == 1})
    code = program.compile_test("assert odd")[0]
    exec(code, {program.TICK: lambda: 1, program.MISS: lambda: 1, "odd": odd()})
    assert asked == [1]


@pytest.mark.parametrize("source", ["def f(:", "x = '\0'", "x = '\ud800'", "(" * 3000, "-" * 200_000 + "1"])
def test_what_does_not_compile_says_so(source: str) -> None:
    with pytest.raises(program.Uncompilable):
        program.compile_alone(source, "x")
    with pytest.raises(program.Uncompilable):
        program.compile_test(source)


@pytest.mark.parametrize(
    "rules", [make(machine) for machine in seccomp.MACHINES for make in (seccomp.for_slot, lambda m: seccomp.for_cell(7, m))]
)
def test_every_jump_of_the_filter_lands_inside(rules: seccomp.Rules) -> None:
    for position, (code, yes, no, _) in enumerate(rules):
        if code in (seccomp.EQUAL, seccomp.ANY_BIT):
            assert position + 1 + max(yes, no) < len(rules)
    assert rules[-1][0] == seccomp.ANSWER
    denied = {name for names in seccomp.DENIED.values() for name in names.split()}
    assert denied <= set(seccomp.X86_64) == set(seccomp.AARCH64)


def test_an_unknown_machine_has_no_filter_and_says_so() -> None:
    assert seccomp.for_slot("riscv64") == seccomp.for_cell(1, "riscv64") == []
    assert not seccomp.install([])


@pytest.mark.parametrize("name", ["tmp", "home", "elsewhere"])
def test_scratch_that_is_not_ours_is_refused(tmp_path: Any, name: str) -> None:
    """Whatever is emptied after each cell must be ours: a real directory of the machine is refused before the first cell."""
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(scratch.NotOurs):
        scratch.claim([str(folder)])
    with pytest.raises(scratch.NotOurs):
        scratch.claim(["/tmp"])


def test_own_scratch_must_be_empty_at_the_start(tmp_path: Any) -> None:
    folder = tmp_path / (scratch.OWN_PREFIX + "x")
    folder.mkdir()
    scratch.claim([str(folder)])
    (folder / "precious").write_text("x")
    with pytest.raises(scratch.NotOurs):
        scratch.claim([str(folder)])
    assert (folder / "precious").exists()


def test_everything_goes_whatever_a_cell_made_of_its_folder_and_nothing_beside_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "CLEANING_S", 120.0)  # this is a disk, and it may be busy
    folder, precious = tmp_path / (scratch.OWN_PREFIX + "x"), tmp_path / "precious"
    folder.mkdir()
    precious.mkdir()
    (precious / "kept").write_text("x")
    scratch.claim([str(folder)])
    (folder / "link").symlink_to(precious)
    os.mkfifo(folder / "pipe")
    (folder / "locked" / "in").mkdir(parents=True)
    (folder / "locked" / "in" / "link").symlink_to(precious)
    (folder / "locked").chmod(0)
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=deep)
        below = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    folder.chmod(0)
    assert scratch.empty([str(folder)])
    assert list(folder.iterdir()) == []
    assert (precious / "kept").read_text() == "x"


@given(
    st.lists(st.sampled_from("abc"), max_size=6),
    st.lists(st.sampled_from("xyz"), max_size=6),
    st.randoms(use_true_random=False),
)
def test_a_plan_runs_each_distinct_cell_once_and_answers_every_copy(rows: list[str], columns: list[str], draw: Any) -> None:
    asked = np.array([[draw.random() < 0.6 for _ in columns] for _ in rows], dtype=bool).reshape(len(rows), len(columns))
    tests = tuple(UnitTest(source=text) for text in columns)
    job = MatrixJob("t", "function", "f", tuple(rows), tuple(rows), tests, Limits(), asked=asked)
    context = ExecutionContext(sandbox="process", image=None, version="v", timeout_s=1.0, memory_mib=512)
    plan = PlannedJob(job, context)
    ran: list[tuple[str, str]] = []
    settled = 0
    for piece in plan.pieces():
        for column in piece.columns:
            cell = (plan.source(piece.solution), str(plan.test(column).source))
            ran.append(cell)
            letter = "P" if (ord(cell[0]) + ord(cell[1])) % 2 else "F"
            settled += plan.record(piece.solution, column, Evidence("exit", letter, 0, 1.0, 1.0))
    assert len(ran) == len(set(ran))
    assert settled == asked.sum()
    assert plan.open_cells == 0
    matrix = plan.matrix()
    for i, row in enumerate(rows):
        for j, column_ in enumerate(columns):
            right = Verdict.PASSED if (ord(row) + ord(column_)) % 2 else Verdict.FAILED
            assert matrix.verdicts[i, j] == (right if asked[i, j] else Verdict.NOT_ASKED)
