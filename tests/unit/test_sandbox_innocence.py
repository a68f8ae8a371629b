"""What reading a solution may conclude: honest classes are innocent, whatever could judge itself or reach further is not."""

from __future__ import annotations

import ast

import pytest

from sandbox.guest import allowed, innocence
from sandbox.self_check import corpus

HEAD = "import math\nclass P:\n    def __init__(self, x): self.x = x\n"
PLAIN = [
    "    def __eq__(self, other): return isinstance(other, P) and self.x == other.x",
    "    def __eq__(self, other): return isinstance(other, self.__class__) and self.__dict__ == other.__dict__",
    "    def __eq__(self, other): return type(self) is type(other) and (self.x, 1) == (other.x, 1)",
    "    def __eq__(self, other):\n        'doc'\n        if self is other: return True\n"
    "        if not isinstance(other, P): raise TypeError\n        return self.x == other.x",
    "    def __eq__(self, other):\n        if isinstance(other, P): return self.x == other.x\n        return False",
    "    def __eq__(self, other):\n        if isinstance(other, P):\n            return self.x == other.x\n        else:\n"
    "            return NotImplemented",
    "    def __eq__(self, o): return self.x == o.x",
    "    def __eq__(self, o): return isinstance(o, P) and len(self.x) == len(o.x) and all(a == b for a, b in zip(self.x, o.x))",
    "    def __eq__(self, o): return isinstance(o, P) and self.x * o.y == o.x * self.y",
    "    def __ne__(self, other): return not self == other",
    "    def __ne__(self, other):\n        if not isinstance(other, P): return True\n        return self.x != other.x",
    "    def __lt__(self, other): return (self.x, self.y) < (other.x, other.y)",
    "    def __sub__(self, other): return P(self.x - other.x)",
    "    def __mul__(self, k): return P(self.x * k)",
    "    def __add__(self, other):\n        if isinstance(other, P): return P(self.x + other.x)\n        return NotImplemented",
    "    def __contains__(self, item): return item in self.x",
    "    def __contains__(self, item):\n        for p in self.x:\n            if p == item: return True\n        return False",
    "    def __contains__(self, item): return any(part == item for part in self.x)",
    "    def __contains__(self, item): return item.lower() in self.x",
    "    def __contains__(self, item): return super().__contains__(item.strip())",
    "    def __eq__(self, other):\n        if isinstance(other, P): return self.x == other.x\n"
    "        if isinstance(other, (int, float)): return self.x == other\n        return NotImplemented",
    "    def __lt__(self, other):\n        if not isinstance(other, P):\n            return self.x < other\n"
    "        return self.x < other.x",
    "    def __lt__(self, other):\n        self.check(other)\n        return self.x < other.x",
    "    def __sub__(self, other): return P(*(a - b for a, b in zip(self.x, other.x)))",
    "    def __mul__(self, k):\n        if isinstance(k, (int, float)): return P(self.x * k)\n"
    "        return sum(a * b for a, b in zip(self.x, k.x))",
    "    def __getattr__(self, name): return getattr(self.x, name)",
    "    def __setattr__(self, name, value): raise AttributeError(name)",
    "    def __setattr__(self, name, value): super().__setattr__(name, value)",
    "    def go(self, x): object.__setattr__(self, 'x', x)",
    "    def go(self): return ''\n    __str__ = go",
    "    def __eq__(self, other):\n        if other is None or not isinstance(other, P): return False\n"
    "        return math.isclose(self.x, other.x) and abs(self.y - other.y) < 1e-9",
    "    def __lt__(self, other): return self.RANKS[self.x] < self.RANKS[other.x]",
    "    def __init_subclass__(cls, **more):\n        super().__init_subclass__(**more)\n        P.kinds = cls",
    "    def go(self, node):\n        node.next = node\n        return getattr(self, 'go_' + node.x)(id(node), vars(self))",
    "    def fill(self, **more):\n        for k in more: setattr(self, k, more[k])",
    "    def __exit__(self, kind, value, trace):\n        self.x = None\n        return False",
]
LYING = [
    "    def __eq__(self, other): return True",
    "    def __eq__(self, other): return isinstance(other, (P, int)) and self.x == other.x",
    "    def __eq__(self, other): return isinstance(other, P) and [self] != [other]",
    "    def __eq__(self, other): return isinstance(other, P)",
    "    def __eq__(self, other): return [self.x, other.x] == [self.x, other.x]",
    "    def __eq__(self, other): return self.real == other.real",
    "    def __eq__(self, other): return self.x == other.x or True",
    "    def __eq__(self, other):\n        other = self\n        return self.x == other.x",
    "    def __eq__(self, other): return (other := self).x == other.x",
    "    def __eq__(self, other): return any(True for other in [self])",
    "    def __lt__(self, other): return self.x < 10",
    "    def __eq__(self, other): return isinstance(other, P) and all(True for a, b in zip(self.x, other.x))",
    "    def __eq__(self, other): return isinstance(other, P) and all(a == a for a, b in zip(self.x, other.x))",
    "    def __sub__(self, other): return P(0)",
    "    def __mul__(self, other): return 0",
    "    def __contains__(self, item): return bool(item)",
    "    def __exit__(self, *rest): return 1",
    "    def __getattr__(self, name): return 1",
    "    def __getattr__(self, name): return getattr(self.x, name, True)",
    "    def __getattr__(self, name):\n        name = 'x'\n        return getattr(self, name)",
    "    def __getattr__(self, name): pass",
    "    def __eq__(self, other):\n        if self.learn(other): return False\n        return self.x == other",
    "    def __eq__(self, other):\n        self.learn(other)\n        return self.x == other",
    "    def __eq__(self, other):\n        if isinstance(other, self.learn(other)): return self.x == other",
    "    def __eq__(self, other):\n        if isinstance(other, int): return True\n        return self.x == other.x",
    "    def __eq__(self, other):\n        if isinstance(other, int): return self.learn(other) == other\n        return False",
    "    def __ne__(self, other):\n        if isinstance(other, int): return False\n        return self.x != other.x",
    "    def __ne__(self, other):\n        if isinstance(other, P): return self.x != other.x",
    "    def __sub__(self, other):\n        self.x = other\n        return P(0)",
    "    def __sub__(self, other): return P(other.x for other in [self])",
    "    def __sub__(self, other): return P(a.x for a in [self] for b in [other.x])",
    "    def __sub__(self, other):\n        if not isinstance(other, P): return False\n        return P(0)",
    "    def __sub__(self, other):\n        if isinstance(other, P): return P(0)",
    "    def __lt__(self, other):\n        if not isinstance(other, P): return False\n        return self.x < other.x",
    "    def __mul__(self, k):\n        if isinstance(k, int): return 0\n        return k.x",
    "    def __contains__(self, item): return item.x() in self.x",
    "    def __contains__(self, item): return self.x.__contains__(item)",
    "    def go(self): setattr = 1",
    "    def __eq__(self, other):\n        if isinstance(other, int): return self.x == other\n        return NotImplemented\n"
    "    def __truediv__(self, other): return P(1)",
    "    def __eq__(self, other): return self.x == other\n    def __mod__(self, other): return P(0)",
    "    def __eq__(self, other): return self.x == other\nimport collections\nclass Q(collections.UserString): pass",
    "    def go(self, x): object.__setattr__(self, '__class__', x)",
    "    def go(self, n, x): object.__setattr__(self, n, x)",
    "    def go(self, x): object.__setattr__(x, 'x', x)",
    "    def go(self, x): type.__setattr__(x, 'x', x)",
    "    def go(self, x): return super().__setattr__",
    "    def go(self, x): return True\n    __eq__ = go",
    "    def go(self, x): return True\n    __contains__ = go",
    "    def __eq__(self, other): return math.isclose(self.x, self.x)",
    "    def __eq__(self, other): return abs(self.x - other) < 1e-9",
    "    def __eq__(self, other): return abs(self.x - self.x) < 1e-9",
    "    def __eq__(self, other): return abs(self.x - other.x) < self.y",
    "    def __eq__(self, other): return math.isclose(self.x, other)",
    "    def __eq__(self, other): return self.ALL[self.x] == self.ALL[other]",
    "    def __eq__(self, other):\n        if other is None and not isinstance(other, P): return False\n"
    "        return [self.x] == [other] or True",
    "    def go(self): return vars()",
    "    def __instancecheck__(self, other): return True",
]


def innocent(source: str) -> bool:
    return innocence.innocent(ast.parse(source))


@pytest.mark.parametrize("method", PLAIN)
def test_plain_methods_are_innocent(method: str) -> None:
    assert innocent(HEAD + method)


@pytest.mark.parametrize("method", LYING)
def test_methods_that_judge_themselves_are_not(method: str) -> None:
    assert not innocent(HEAD + method)


@pytest.mark.parametrize("name", sorted(allowed.MEMBERS) + sorted(allowed.IDLE))
def test_a_module_gives_what_is_listed_and_nothing_else(name: str) -> None:
    assert innocent(f"import {name} as m\n")
    assert not innocent(f"import {name} as m\nx = m\n")
    assert not innocent(f"import {name} as m\nm.anything_else\n")
    assert not innocent(f"import {name} as m\nm.x = 1\n")
    assert not innocent(f"from {name} import anything_else\n")
    for member in allowed.MEMBERS.get(name, "").split():
        special = f"{name}.{member}" in allowed.MEMBERS or "contextmanager" in member
        assert special or innocent(f"import {name} as m\nm.{member}.y()\n")


TEMPLATES = """
from collections.abc import Mapping, Set
from typing import Protocol
import numbers
"""


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        ("class M(Mapping):\n    def __getitem__(self, k): return 1", False),
        ("class M(Mapping):\n    def __contains__(self, k): return k in self.x", True),
        ("class M(Mapping):\n    def __contains__(self, k): return True", False),
        ("class S(Set):\n    def __contains__(self, k): return k in self.x", False),
        ("class N(numbers.Complex): pass", False),
        ("N = numbers.Real", False),
        ("from collections.abc import Mapping as M", False),
        ("def f(x: Mapping) -> Set: return isinstance(x, Mapping)", True),
        ("class Q(Protocol):\n    def area(self): ...", True),
        ("class Q(Protocol): pass\nclass R(Q):\n    def __eq__(self, o): return isinstance(o, R) and self.x == o.x", False),
        ("class Q(Protocol): pass\nclass R:\n    def __eq__(self, o): return isinstance(o, R) and self.x == o.x", True),
        ("class Q(Protocol):\n    _is_runtime_protocol = True", False),
        ("Q.register(int)", False),
    ],
)
def test_abstract_classes_lend_no_lies(body: str, holds: bool) -> None:
    assert innocent(TEMPLATES + body) == holds


def test_listed_members_exist() -> None:
    for name, words in allowed.MEMBERS.items():
        module = __import__(name, fromlist=["x"])
        assert [word for word in words.split() if not hasattr(module, word)] == []


def test_the_special_names_have_not_grown() -> None:
    """A Python that gives a meaning to another syntax must be looked at before it is trusted."""
    known = {"MatchAs", "MatchStar", "MatchMapping", "MatchClass", "TypeAlias", "ParamSpec", "TypeVar", "TypeVarTuple"}
    kinds = {name: set(getattr(kind, "_fields", ())) for name, kind in vars(ast).items() if isinstance(kind, type)}
    binding = {name for name, fields in kinds.items() if fields & {"name", "rest"}}
    assert binding - known == {"FunctionDef", "AsyncFunctionDef", "ClassDef", "ExceptHandler", "alias"}


def test_forgers_that_share_the_process_are_seen_through() -> None:
    """Every lying value of the corpus is told from an honest one by reading alone."""
    kinds = ("equality:", "membership:", "context manager:")
    lying = [cell for cell in corpus() if cell["name"].startswith(kinds)]
    assert len(lying) > 50
    assert [cell["name"] for cell in lying if innocent(cell["solution"])] == []
