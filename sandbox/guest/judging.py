"""Special methods that are told what the test expects, and the forms in which they cannot lie.

``value == expected`` hands the expected value to the solution's own method; one that answers True to everything passes every test.
A comparison is plain when it can hold only for an instance of one of the solution's own classes (a guard on ``other``), or when it
first reads a field of ``other`` that no plain value has; and it must relate something of ``self`` to something of ``other``. A
membership test must compare the element with what the object holds. A difference must take a field of ``other``. A context manager
may not swallow what the block raises: it could be the assertion. What single expressions say is read in ``relations``.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import ast
from collections import Counter
from typing import Dict, Tuple, Union  # noqa: UP035

from sandbox.guest.relations import is_foreign, is_own, name_of, negation, own_object, reads_first, relation, same

COMPARISONS = frozenset("__eq__ __ne__ __lt__ __le__ __gt__ __ge__".split())
_OPERATORS = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor".split()
BINARY = frozenset(f"__{side}{name}__" for name in _OPERATORS for side in ("", "r", "i"))
_SCALING = frozenset(
    f"__{side}{name}__" for name in ("mul", "matmul", "truediv", "floordiv", "mod", "pow", "add") for side in ("", "r", "i")
)
"""May take a plain operand, when what comes back is an object of the solution's own: it has yet to be compared."""
EXITS = frozenset(("__exit__", "__aexit__"))
METHODS = COMPARISONS | BINARY | EXITS | {"__contains__"}
Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]  # noqa: UP007 - evaluated by Python 3.9 too


def bound_names(node: ast.AST) -> list[str]:
    """Names that one node of a source binds, in whatever way."""
    kind = type(node).__name__
    if kind in ("ClassDef", "FunctionDef", "AsyncFunctionDef", "ExceptHandler", "MatchAs", "MatchStar", "MatchMapping"):
        name = getattr(node, "rest" if kind == "MatchMapping" else "name", None)
        return [name] if name else []
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    return [node.arg] if isinstance(node, ast.arg) else []


def own_classes(tree: ast.Module) -> frozenset[str]:
    """Classes of the source whose instances are surely its own: bound once, and not built by what could give something else."""
    bound = Counter(name for node in ast.walk(tree) for name in bound_names(node))
    if "*" in bound:
        return frozenset()
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and bound[n.name] == 1 and _stays(n))


def _stays(node: ast.ClassDef) -> bool:
    """No decorator, metaclass or keyword that could put something else in the place of the class."""
    heads = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    names = [head.attr if isinstance(head, ast.Attribute) else name_of(head) for head in heads]
    return not node.keywords and all(name in ("dataclass", "total_ordering", "unique") for name in names)


def plain(node: Function, classes: frozenset[str]) -> bool:
    """Whether a special method has one of the forms above. ``classes``: the solution's own."""
    names = [argument.arg for argument in node.args.args]
    if _yields(node) or any(isinstance(n, ast.NamedExpr) for n in ast.walk(node)):
        return False
    if node.name in EXITS:
        return not any(isinstance(n, ast.Return) and not _nothing(n.value) for n in ast.walk(node))
    if node.name not in METHODS or len(names) != 2 or node.decorator_list or isinstance(node, ast.AsyncFunctionDef):
        return False
    if node.name == "__contains__":
        return _plain_membership(node, names[1])
    return (_plain_comparison if node.name in COMPARISONS else _plain_operator)(node, names[0], names[1], classes)


def _plain_comparison(node: ast.FunctionDef, me: str, other: str, classes: frozenset[str]) -> bool:
    body, guarded = _after_guards(node.body, me, other, classes)
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return False
    negated = node.name == "__ne__" and negation(body[0].value, me, other)
    operators = _OPERATORS_OF.get(node.name, (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
    return negated or relation(body[0].value, me, other, guarded, classes, operators)


def _plain_operator(node: ast.FunctionDef, me: str, other: str, classes: frozenset[str]) -> bool:
    body, guarded = _after_guards(node.body, me, other, classes)
    if guarded or (len(body) == 1 and isinstance(body[0], ast.Return) and reads_first(body[0].value, other)):
        return True
    returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
    return node.name in _SCALING and bool(returned) and all(own_object(value, me, classes) for value in returned)


def _yields(node: ast.AST) -> bool:
    return any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(node))


def _nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value in (None, False))


def _refusal(statement: ast.stmt) -> bool:
    """``return False``, ``return NotImplemented`` or ``raise``."""
    if isinstance(statement, ast.Return):
        return _nothing(statement.value) or (isinstance(statement.value, ast.Name) and statement.value.id == "NotImplemented")
    return isinstance(statement, ast.Raise)


def _after_guards(body: list[ast.stmt], me: str, other: str, classes: frozenset[str]) -> tuple[list[ast.stmt], bool]:
    """(the statements behind docstring and guards, whether a guard sends everything away that is not the solution's own)."""
    rest, guarded = list(body), False
    while rest:
        first = rest[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            rest.pop(0)
        elif isinstance(first, ast.If) and not first.orelse and len(first.body) == 1 and _refusal(first.body[0]):
            guarded = guarded or is_foreign(first.test, me, other, classes)
            rest.pop(0)
        elif isinstance(first, ast.If) and len(first.body) == 1 and is_own(first.test, me, other, classes):
            after = [*first.orelse, *rest[1:]]
            return (first.body, True) if all(map(_refusal, after)) else (rest, guarded)
        elif isinstance(first, ast.If) and not first.orelse and same(first.test, me, other) and len(first.body) == 1:
            rest.pop(0)  # if self is other: return True
        else:
            break
    return rest, guarded


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


_OPERATORS_OF: Dict[str, Tuple[type[ast.cmpop], ...]] = {  # noqa: UP006
    "__eq__": (ast.Eq, ast.Is),
    "__ne__": (ast.NotEq, ast.IsNot),
}


def _plain_membership(node: Function, item: str) -> bool:
    """Every mention of the element is one side of ``==``, ``is`` or ``in``, and True is returned only where that holds."""
    relations = {id(n) for n in ast.walk(node) if isinstance(n, ast.Compare) and _relates(n, item)}
    sides = {id(side) for n in ast.walk(node) if id(n) in relations for side in (n.left, n.comparators[0])}  # type: ignore[attr-defined]
    if any(isinstance(n, ast.Name) and n.id == item and id(n) not in sides for n in ast.walk(node)):
        return False
    granted = {id(n.body[0]) for n in ast.walk(node) if isinstance(n, ast.If) and id(n.test) in relations}
    return all(
        _nothing(n.value) or id(n.value) in relations or _any(n.value, relations) or id(n) in granted
        for n in ast.walk(node)
        if isinstance(n, ast.Return)
    )


def _relates(node: ast.Compare, item: str) -> bool:
    if len(node.ops) != 1 or not isinstance(node.ops[0], (ast.Eq, ast.Is, ast.In)):
        return False
    left, right = name_of(node.left) == item, name_of(node.comparators[0]) == item and not isinstance(node.ops[0], ast.In)
    return left != right and not _mentions(node.comparators[0] if left else node.left, item)


def _any(value: ast.expr | None, relations: set[int]) -> bool:
    inner = value.args[0] if isinstance(value, ast.Call) and name_of(value.func) == "any" and value.args else None
    return isinstance(inner, (ast.GeneratorExp, ast.ListComp)) and id(inner.elt) in relations


def alias(statement: ast.Assign) -> bool:
    """``__rmul__ = __mul__`` and ``__repr__ = __str__``: one more name for the same kind of method."""
    target, value = name_of(statement.targets[0]), name_of(statement.value)
    if target is None or value is None or len(statement.targets) != 1:
        return False
    texts = {"__str__", "__repr__"}
    reflected = target.startswith("__r") and value == "__" + target[3:] and value in BINARY and value in _SCALING
    return reflected or ({target, value} <= texts)


def swallows(function: Function) -> bool:
    """A generator that may catch what is thrown in at its ``yield``."""
    if any(isinstance(n, ast.YieldFrom) for n in ast.walk(function)):
        return True
    tries = [n for n in ast.walk(function) if isinstance(n, ast.Try)]
    caught = any(n.handlers and any(_yields(s) for s in n.body) for n in tries)
    leaving = (ast.Return, ast.Break, ast.Continue)
    return caught or any(isinstance(m, leaving) for n in tries for s in n.finalbody for m in ast.walk(s))
