"""Special methods that are told what the test expects, and the forms in which they cannot lie.

``value == expected`` hands the expected value to the solution's own method; one that answers True to everything passes every test.
A comparison is plain when it can hold only for an instance of one of the solution's own classes (a guard on ``other``), or when it
first reads a field of ``other`` that no plain value has; and it must relate something of ``self`` to something of ``other``. A
membership test must compare the element with what the object holds. A difference must take a field of ``other``. What is asked for
any name must pass the question on. A context manager may not swallow what the block raises: it could be the assertion. What
single expressions say is read in ``relations``, and which classes are its own in ``bindings``.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import ast
from collections import Counter
from typing import Dict, Tuple  # noqa: UP035

from sandbox.guest.bindings import bound_names
from sandbox.guest.membership import Function, nothing, plain_membership
from sandbox.guest.relations import (
    by_kind,
    content,
    is_foreign,
    is_own,
    name_of,
    negation,
    own_object,
    quiet,
    reads_first,
    relation,
    same,
)

COMPARISONS = frozenset("__eq__ __ne__ __lt__ __le__ __gt__ __ge__".split())
_OPERATORS = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor".split()
_SYMBOLS = {ast.Add: "add", ast.Mult: "mul", ast.MatMult: "matmul", ast.BitOr: "or", ast.BitAnd: "and", ast.BitXor: "xor"}
BINARY = frozenset(f"__{side}{name}__" for name in _OPERATORS for side in ("", "r", "i"))
_SIDES = ("", "r", "i")


def _forms(*names: str) -> frozenset[str]:
    return frozenset(f"__{side}{name}__" for name in names for side in _SIDES)


_SCALING = _forms("mul", "matmul", "truediv", "floordiv", "mod", "pow", "add")
"""May take a plain operand, when what comes back is an object of the solution's own: it has yet to be compared."""
EXITS = frozenset(("__exit__", "__aexit__"))
METHODS = COMPARISONS | BINARY | EXITS | {"__contains__"}
FALLBACK = "__getattr__"
Operators = Tuple[type[ast.cmpop], ...]  # noqa: UP006


def unreckoned(tree: ast.AST) -> bool:
    """No class of the source makes new objects of ``value / expected`` and the like, which could then equal what is usual there."""
    classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    own = {n.name for n in classes} | {"object", "ABC"}
    reckons = any(isinstance(n, ast.FunctionDef) and n.name in BINARY for n in ast.walk(tree))
    return not reckons and all(name_of(base) in own for n in classes for base in n.bases)


_QUOTIENT, _RATIO = _forms("truediv"), _forms("truediv", "floordiv", "mod", "divmod", "pow")
_COMPOSING = _forms("or", "lshift", "rshift")
_YES = frozenset(("__bool__", "__len__"))
_AS_PLAIN = frozenset("__bool__ __len__ __round__ __float__ __int__ __index__ __complex__ __trunc__ __floor__ __ceil__".split())


def scaling(tree: ast.AST) -> frozenset[str]:
    """The operators that may take a plain operand in this source.

    What comes of ``value / expected`` is then asked to be a number, or is one by its base: it could always be right. That it is
    true or long says nothing of a quotient. ``a | b`` and ``a >> b`` join what can be asked for neither number nor items.
    """
    functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    own = {n.name for n in classes} | {"object", "ABC", "Generic"}
    bases = {name_of(b.value if isinstance(b, ast.Subscript) else b) for n in classes for b in n.bases}
    answers = functions & _AS_PLAIN
    if not bases <= own:
        return _SCALING - _RATIO
    if answers:
        return _SCALING - (_RATIO - _QUOTIENT if answers <= _YES else _RATIO)
    return _SCALING if functions & {"__iter__", "__getitem__"} else _SCALING | _COMPOSING


def plain(  # noqa: PLR0911 - one line a form
    node: Function, classes: frozenset[str], whole: bool = False, scales: frozenset[str] = frozenset()
) -> bool:
    """Whether a special method has one of the forms above.

    ``classes``: the solution's own; ``whole``: see ``unreckoned``; ``scales``: see ``scaling``.
    """
    names = [argument.arg for argument in node.args.args]
    if node.decorator_list or _yields(node) or any(isinstance(n, ast.NamedExpr) for n in ast.walk(node)):
        return False
    if node.name in EXITS:  # a coroutine that nobody awaits would be true
        kind = ast.FunctionDef if node.name == "__exit__" else ast.AsyncFunctionDef
        return isinstance(node, kind) and not any(isinstance(n, ast.Return) and not nothing(n.value) for n in ast.walk(node))
    if node.name == FALLBACK:
        return len(names) == 2 and _delegates(node, names[1])
    if node.name not in METHODS or len(names) != 2 or isinstance(node, ast.AsyncFunctionDef):
        return False
    if node.name == "__contains__":
        return plain_membership(node, names[1])
    if (
        node.name in COMPARISONS
        and whole
        and _sorted_by_kind(node.body, names, False, classes, _OPERATORS_OF.get(node.name, _ORDER))
    ):
        return True
    if node.name in COMPARISONS:
        return _plain_comparison(node, names[0], names[1], classes)
    return _forwards(node, names) or _plain_operator(node, names[0], names[1], classes, scales=node.name in scales)


def _forwards(node: ast.FunctionDef, names: list[str]) -> bool:
    """``return self * other`` of ``__rmul__`` and ``__imul__``: what ``__mul__`` says, which is read too."""
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and not value.keywords:
        asked, sides = value.func.attr, [value.func.value, *value.args]
    elif isinstance(value, ast.BinOp):
        asked, sides = f"__{_SYMBOLS.get(type(value.op), '')}__", [value.left, value.right]
    else:
        return False
    return [name_of(s) for s in sides] == names and node.name in (f"__{side}{asked[2:]}" for side in _SIDES[1:])


def _plain_comparison(node: ast.FunctionDef, me: str, other: str, classes: frozenset[str]) -> bool:
    body, guarded = _after_guards(node, me, other, classes)
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return False
    negated = node.name == "__ne__" and negation(body[0].value, me, other)
    operators = _OPERATORS_OF.get(node.name, _ORDER)
    return negated or relation(body[0].value, me, other, guarded, classes, operators)


def _delegates(node: Function, name: str) -> bool:
    """``return getattr(self.inner, name)``: no answer of its own to whatever it is asked."""
    returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
    bound = Counter(name for n in ast.walk(node) for name in bound_names(n))
    calls = [v for v in returned if isinstance(v, ast.Call) and name_of(v.func) == "getattr" and len(v.args) == 2]
    return (
        _leaves(node.body)
        and len(calls) == len(returned)
        and bound[name] == 1
        and all(name_of(call.args[1]) == name for call in calls)
    )


def _sorted_by_kind(body: list[ast.stmt], names: list[str], own: bool, classes: frozenset[str], operators: Operators) -> bool:
    """Only asks what kind of thing ``other`` is, and relates it in each case: field to field, or whole to what the object holds."""
    me, other = names
    rest = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    for statement in rest:
        if isinstance(statement, ast.If) and by_kind(statement.test, other):
            mine = own or is_own(statement.test, me, other, classes)
            if not _sorted_by_kind(statement.body, names, mine, classes, operators):
                return False
            if statement.orelse and not _sorted_by_kind(statement.orelse, names, own, classes, operators):
                return False
        elif isinstance(statement, ast.Return):
            value, equality = statement.value, ast.Eq in operators
            related = content(value, me, other, operators) or relation(value, me, other, own, classes, operators)
            if not (related or _declined(value) or (equality and nothing(value))):
                return False
        elif not isinstance(statement, ast.Raise):
            return False
    return _leaves(rest)


def _leaves(body: list[ast.stmt]) -> bool:
    """Its end is not reached."""
    last = body[-1] if body else None
    both = isinstance(last, ast.If) and _leaves(last.body) and _leaves(last.orelse)
    return both or isinstance(last, (ast.Return, ast.Raise))


def _plain_operator(node: ast.FunctionDef, me: str, other: str, classes: frozenset[str], *, scales: bool) -> bool:
    _, guarded = _after_guards(node, me, other, classes)
    if guarded:
        return True
    bound = Counter(name for n in ast.walk(node) for name in bound_names(n))
    returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
    return (
        (_keeps_quiet(node.body, other) or not any(map(_declined, returned)))
        and bound[me] == bound[other] == 1
        and _leaves(node.body)
        and all((scales and own_object(value, me, classes)) or reads_first(value, other) or _declined(value) for value in returned)
    )


def _keeps_quiet(body: list[ast.stmt], other: str) -> bool:
    """Nobody is handed ``other`` but what makes the result."""
    for statement in body:
        if isinstance(statement, ast.If):
            if not (quiet(statement.test, other) and _keeps_quiet([*statement.body, *statement.orelse], other)):
                return False
        elif not isinstance(statement, (ast.Return, ast.Raise)) and not quiet(statement, other):
            return False
    return True


def _yields(node: ast.AST) -> bool:
    return any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(node))


def _declined(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Name) and value.id == "NotImplemented"


def _refusal(statement: ast.stmt, name: str) -> bool:
    """``return NotImplemented`` or ``raise``; False of an equality, True of its contrary. ``name``: of the method."""
    if not isinstance(statement, ast.Return):
        return isinstance(statement, ast.Raise)
    value = statement.value
    denied = name == "__ne__" and isinstance(value, ast.Constant) and value.value is True
    return _declined(value) or denied or (name == "__eq__" and nothing(value))


def _after_guards(node: ast.FunctionDef, me: str, other: str, classes: frozenset[str]) -> tuple[list[ast.stmt], bool]:
    """(the statements behind docstring and guards, whether a guard sends everything away that is not the solution's own)."""
    rest, guarded, asked, name = list(node.body), False, False, node.name
    while rest:
        first = rest[0]
        if isinstance(first, ast.Expr) and (isinstance(first.value, ast.Constant) or _asks(first.value, me)):
            asked = asked or not isinstance(first.value, ast.Constant)
            rest.pop(0)
        elif isinstance(first, ast.If) and not first.orelse and len(first.body) == 1 and _refusal(first.body[0], name):
            if not guarded and (asked or not quiet(first.test, other)):
                break
            guarded = guarded or is_foreign(first.test, me, other, classes)
            guarded = guarded or (name in BINARY and reads_first(first.test, other))
            rest.pop(0)
        elif isinstance(first, ast.If) and len(first.body) == 1 and is_own(first.test, me, other, classes):
            if asked and not guarded:
                break
            after = [*first.orelse, *rest[1:]]
            refused = all(_refusal(s, name) for s in after) and (_leaves(after) or name == "__eq__")
            return (first.body, True) if refused else (rest, guarded)
        elif isinstance(first, ast.If) and not first.orelse and same(first.test, me, other) and len(first.body) == 1:
            rest.pop(0)  # if self is other: return True
        else:
            break
    return rest, guarded


def _asks(value: ast.expr, me: str) -> bool:
    """``self.check(other)``, which may raise; its answer is not used. Nothing may decline behind it: ``self`` may have changed."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and name_of(value.func.value) == me


_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_OPERATORS_OF: Dict[str, Operators] = {  # noqa: UP006
    "__eq__": (ast.Eq, ast.Is),
    "__ne__": (ast.NotEq, ast.IsNot),
}


_NAMED_ALSO = frozenset("__str__ __repr__ __len__ __iter__ __call__ __bool__".split())


def alias(statement: ast.Assign) -> bool:
    """``__rmul__ = __mul__``, ``__repr__ = __str__`` and ``__str__ = build``: one more name for the same kind of method."""
    target, value = name_of(statement.targets[0]), name_of(statement.value)
    if target is None or value is None or len(statement.targets) != 1:
        return False
    texts = {"__str__", "__repr__"}
    if target in _NAMED_ALSO and not value.startswith("__"):
        return True
    reflected = target.startswith("__r") and value == "__" + target[3:] and value in BINARY and value in _SCALING
    return reflected or ({target, value} <= texts)


def swallows(function: Function) -> bool:
    """A generator that may catch what is thrown in at its ``yield``."""
    if any(isinstance(n, ast.YieldFrom) for n in ast.walk(function)):
        return True
    kinds: tuple[type[ast.Try], ...] = (ast.Try, getattr(ast, "TryStar", ast.Try))
    tries = [n for n in ast.walk(function) if isinstance(n, kinds)]
    caught = any(n.handlers and any(_yields(s) for s in n.body) for n in tries)
    leaving = (ast.Return, ast.Break, ast.Continue)
    return caught or any(isinstance(m, leaving) for n in tries for s in n.finalbody for m in ast.walk(s))
