"""What one expression says of two values, ``self`` (``me``) and ``other`` of a special method that is told what the test expects.

Whose class it asks for, what of the one it relates to the same of the other, and what it reads of ``other`` whatever it is told.
Knows nothing of statements and methods: which of these a method must hold, and where, is for ``judging`` to say.
"""

from __future__ import annotations

import ast
import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Iterator, List  # noqa: UP035

_PLAIN_TYPES = (
    int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, deque, Counter, OrderedDict, defaultdict,
    Decimal, Fraction, datetime.datetime, datetime.timedelta, datetime.time, type(None), type, type(len), type(lambda: 0),
)  # fmt: skip
PLAIN_FIELDS = frozenset(name for kind in _PLAIN_TYPES for name in dir(kind))
"""Attributes that plain values have."""
_ORDERED_FIELDS = frozenset(name for kind in _PLAIN_TYPES if kind is not range for name in dir(kind))
"""The same of those that ``<`` is asked of."""


def is_foreign(test: ast.expr, me: str, other: str, classes: frozenset[str]) -> bool:
    """``not isinstance(other, Own)`` or ``type(other) is not type(self)``, perhaps beside other reasons."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(is_foreign(part, me, other, classes) for part in test.values)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return is_own(test.operand, me, other, classes)
    return _types_compared(test, me, other, (ast.NotEq, ast.IsNot))


def is_own(test: ast.expr, me: str, other: str, classes: frozenset[str]) -> bool:
    """``isinstance(other, Own)`` or ``type(other) is type(self)``."""
    if isinstance(test, ast.Call) and name_of(test.func) == "isinstance" and len(test.args) == 2 and name_of(test.args[0]) == other:
        return name_of(test.args[1]) in classes or _class_of(test.args[1]) == me
    return _types_compared(test, me, other, (ast.Eq, ast.Is))


def same(test: ast.expr, me: str, other: str) -> bool:
    """``self is other``."""
    return isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is) and _sides(test) == {me, other}


def own_object(value: ast.expr | None, me: str, classes: frozenset[str]) -> bool:
    """``self``, ``NotImplemented``, or a new instance of one of the solution's own classes."""
    if isinstance(value, ast.Name):
        return value.id in (me, "NotImplemented")
    return isinstance(value, ast.Call) and (name_of(value.func) in classes or _class_of(value.func) == me)


def negation(value: ast.expr | None, me: str, other: str) -> bool:
    """``not self == other``."""
    if not isinstance(value, ast.UnaryOp):
        return False
    inner = value.operand
    return isinstance(inner, ast.Compare) and isinstance(inner.ops[0], ast.Eq) and _sides(inner) == {me, other}


def relation(
    value: ast.expr | None,
    me: str,
    other: str,
    guarded: bool,
    classes: frozenset[str],
    operators: tuple[type[ast.cmpop], ...],
) -> bool:
    """A conjunction in which own instances alone come to the relations, and each relates self to other."""
    if value is None:
        return False
    terms: List[ast.expr] = list(value.values) if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And) else [value]  # noqa: UP006
    related, fields = False, _ORDERED_FIELDS if ast.Lt in operators else PLAIN_FIELDS
    for term in terms:
        if is_own(term, me, other, classes):
            guarded = True
        elif not _symmetric(term, me, other, operators):
            return False
        else:
            asked = reads_first(term, other, fields)
            if not guarded and not (_directly(term, other, operators) and (asked or _by_field(term, other))):
                return False
            related, guarded = True, guarded or asked
    return related and guarded


def _by_field(term: ast.expr, other: str) -> bool:
    """Nobody is handed ``other`` itself; what is asked of it later in the conjunction, no plain value can answer."""
    asked = {id(n.value) for n in ast.walk(term) if isinstance(n, ast.Attribute)}
    return all(id(n) in asked for n in ast.walk(term) if isinstance(n, ast.Name) and n.id == other)


def _directly(term: ast.expr, other: str, operators: tuple[type[ast.cmpop], ...]) -> bool:
    """No code of the solution's own, nor a table where equality is asked, is told a field of ``other``: it may be the test's."""
    told: List[ast.AST] = []  # noqa: UP006
    for node in ast.walk(term):
        if isinstance(node, ast.Call) and name_of(node.func) not in ("all", "zip", "abs"):
            told += [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Subscript) and ast.Lt not in operators:
            told.append(node.slice)
    return not any(isinstance(n, ast.Name) and n.id == other for part in told for n in ast.walk(part))


def content(value: ast.expr | None, me: str, other: str, operators: tuple[type[ast.cmpop], ...]) -> bool:
    """``E(self) == other``: what the object holds, computed without a look at the other. Own code must not have seen it before."""
    if not isinstance(value, ast.Compare) or len(value.ops) != 1 or not isinstance(value.ops[0], operators):
        return False
    left, right = value.left, value.comparators[0]
    mine = left if name_of(right) == other else right if name_of(left) == other else None
    named = {n.id for n in ast.walk(mine) if isinstance(n, ast.Name)} if mine is not None else set()
    return me in named and other not in named


def by_kind(test: ast.expr, other: str) -> bool:
    """``isinstance(other, …)`` and its negation: no code of the solution's is told ``other``."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return by_kind(test.operand, other)
    if not isinstance(test, ast.Call) or name_of(test.func) != "isinstance" or len(test.args) != 2 or test.keywords:
        return False
    kinds = test.args[1].elts if isinstance(test.args[1], ast.Tuple) else [test.args[1]]
    return name_of(test.args[0]) == other and all(isinstance(kind, ast.Name) for kind in kinds)


def quiet(test: ast.AST, other: str) -> bool:
    """Nobody is handed ``other``: it is asked for its kind, its identity, or a field that no plain value has.

    A list that is told what it is compared with can become it, decline, and leave the comparison to the plain list.
    """
    asked = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and name_of(node.func) in ("isinstance", "type") and node.args:
            asked.add(id(node.args[0]))
        elif isinstance(node, ast.Attribute) and node.attr not in PLAIN_FIELDS - {"__class__"}:
            asked.add(id(node.value))
        elif isinstance(node, ast.Compare) and all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            asked.update(id(side) for side in (node.left, *node.comparators))
    return all(id(n) in asked for n in ast.walk(test) if isinstance(n, ast.Name) and n.id == other)


def reads_first(value: ast.expr | None, other: str, fields: frozenset[str] = PLAIN_FIELDS) -> bool:
    """It always reads a field of ``other`` that no plain value has."""
    return value is not None and any(
        isinstance(n, ast.Attribute) and name_of(n.value) == other and n.attr not in fields for n in _evaluated(value)
    )


def _class_of(node: ast.expr) -> str | None:
    """x of ``type(x)`` and ``x.__class__``."""
    if isinstance(node, ast.Call) and name_of(node.func) == "type" and len(node.args) == 1:
        return name_of(node.args[0])
    return name_of(node.value) if isinstance(node, ast.Attribute) and node.attr == "__class__" else None


def _types_compared(test: ast.expr, me: str, other: str, operators: tuple[type[ast.cmpop], ...]) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], operators):
        return False
    return {_class_of(test.left), _class_of(test.comparators[0])} == {me, other}


def _sides(test: ast.Compare) -> set[str | None]:
    return {name_of(test.left), name_of(test.comparators[0])} if len(test.ops) == 1 else set()


def name_of(node: ast.expr) -> str | None:
    """x of ``x``."""
    return node.id if isinstance(node, ast.Name) else None


def _symmetric(term: ast.expr, me: str, other: str, operators: tuple[type[ast.cmpop], ...]) -> bool:
    """``E(self) == E(other)`` for one expression E, or ``all(… for … in zip(E(self), E(other)))``."""
    pair = _pair(term, operators)
    if pair is None:
        return False
    left, right = pair
    if isinstance(left, ast.Subscript) and isinstance(right, ast.Subscript) and ast.dump(left.value) == ast.dump(right.value):
        left, right = left.slice, right.slice  # self.RANKS[self.rank] < self.RANKS[other.rank]
    mine, theirs = f"id={me!r}", f"id={other!r}"
    swapped = ast.dump(left).replace(mine, "\0").replace(theirs, mine).replace("\0", theirs)
    return swapped == ast.dump(right) and (mine in swapped or theirs in swapped)


def _pair(term: ast.expr, operators: tuple[type[ast.cmpop], ...]) -> list[ast.expr] | None:
    """What is related to what: by an operator, ``math.isclose``, ``abs(a - b) < 1e-9``, or item by item."""
    if isinstance(term, ast.Compare) and len(term.ops) == 1 and isinstance(term.ops[0], operators):
        return [term.left, term.comparators[0]]
    if ast.Eq not in operators:
        return _zipped(term)
    near = isinstance(term, ast.Compare) and len(term.ops) == 1 and isinstance(term.ops[0], (ast.Lt, ast.LtE))
    distance = term.left if isinstance(term, ast.Compare) and near and isinstance(term.comparators[0], ast.Constant) else None
    if isinstance(distance, ast.Call) and name_of(distance.func) == "abs" and len(distance.args) == 1:
        inner = distance.args[0]
        return [inner.left, inner.right] if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub) else None
    if isinstance(term, ast.Call) and len(term.args) == 2:
        function = term.func
        near = isinstance(function, ast.Attribute) and name_of(function.value) == "math" and function.attr == "isclose"
        return list(term.args) if near else None
    return _zipped(term)


def _zipped(term: ast.expr) -> list[ast.expr] | None:
    """a and b of ``all(… for … in zip(a, b))``."""
    inner = term.args[0] if isinstance(term, ast.Call) and name_of(term.func) == "all" and len(term.args) == 1 else None
    if not isinstance(inner, ast.GeneratorExp) or len(inner.generators) != 1 or inner.generators[0].ifs:
        return None
    pair = inner.elt
    if not isinstance(pair, ast.Compare) or not isinstance(pair.ops[0], ast.Eq) or len(_sides(pair)) != 2:
        return None
    source = inner.generators[0].iter
    return source.args if isinstance(source, ast.Call) and name_of(source.func) == "zip" and len(source.args) == 2 else None


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of an expression that are evaluated whatever the others give; of a comprehension, what it runs over first."""
    yield node
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        yield from _evaluated(node.generators[0].iter)
        return
    if isinstance(node, (ast.IfExp, ast.Lambda)):
        return
    parts = [node.values[0]] if isinstance(node, ast.BoolOp) else list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Compare):
        parts = [node.left, node.comparators[0]]
    for part in parts:
        yield from _evaluated(part)
