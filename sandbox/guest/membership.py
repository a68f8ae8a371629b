"""``item in value``: the one form in which a membership test of the solution's cannot lie.

The element, which is what the test expects, is compared with what the object holds and told to nobody; True is returned only where
that comparison holds.
"""

from __future__ import annotations

import ast
from typing import Union

from sandbox.guest.relations import name_of

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]  # noqa: UP007 - evaluated by Python 3.9 too


def nothing(value: ast.expr | None) -> bool:
    """``return``, ``return None`` or ``return False``."""
    return value is None or (isinstance(value, ast.Constant) and value.value in (None, False))


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def plain_membership(node: Function, item: str) -> bool:
    """Every mention of the element is one side of ``==``, ``is`` or ``in``, and True is returned only where that holds."""
    mentions = {id(n): _relates(n, item) for n in ast.walk(node)}
    relations = {number for number, mention in mentions.items() if mention is not None}
    sides = {id(mention) for mention in mentions.values()}
    if any(isinstance(n, ast.Name) and n.id == item and id(n) not in sides for n in ast.walk(node)):
        return False
    granted = {id(n.body[0]) for n in ast.walk(node) if isinstance(n, ast.If) and id(n.test) in relations}
    return all(
        nothing(n.value) or id(n.value) in relations or _any(n.value, relations) or id(n) in granted
        for n in ast.walk(node)
        if isinstance(n, ast.Return)
    )


_TIDIED = frozenset(("lower", "upper", "casefold", "strip"))


def _element(node: ast.expr, item: str) -> ast.expr | None:
    """The mention of the element in ``item`` or ``item.lower()``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TIDIED and not node.args:
        node = node.func.value
    return node if name_of(node) == item else None


def _relates(node: ast.AST, item: str) -> ast.expr | None:
    """The mention of the element in ``item == part``, ``item in parts`` or ``super().__contains__(item)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__contains__":
        above = node.func.value
        parent = isinstance(above, ast.Call) and name_of(above.func) == "super" and not above.args
        return _element(node.args[0], item) if parent and len(node.args) == 1 else None
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], (ast.Eq, ast.Is, ast.In)):
        return None
    left, right = _element(node.left, item), _element(node.comparators[0], item)
    if isinstance(node.ops[0], ast.In):
        right = None
    if (left is None) == (right is None):
        return None
    other = node.left if left is None else node.comparators[0]
    return None if _mentions(other, item) else left if right is None else right


def _any(value: ast.expr | None, relations: set[int]) -> bool:
    inner = value.args[0] if isinstance(value, ast.Call) and name_of(value.func) == "any" and value.args else None
    return isinstance(inner, (ast.GeneratorExp, ast.ListComp)) and id(inner.elt) in relations
