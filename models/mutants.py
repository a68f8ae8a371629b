"""Small wrong versions of a right program, to ask which of them the tests notice (mutation testing; MIST-RL, arXiv 2603.01409).

One mutant is one change at one place: an operator, a comparison or a constant replaced, a condition negated, a result dropped, a
call left out. The list is the same for the same source. What it refuses: docstrings, imports and annotations stay, and a change
that gives the same text again is dropped. Whether a mutant is equivalent to its original cannot be decided; so a kill rate over
all mutants is a lower bound, and the one over mutants that the ground truth kills stands beside it.
"""

from __future__ import annotations

import ast
import copy
import random

from models.python_source import parsed

ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
COMPARISON: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def mutants_of(source: str, limit: int, seed: int = 0) -> tuple[str, ...]:
    """At most ``limit`` distinct mutants of ``source``, drawn by ``seed`` when there are more; () where it does not parse."""
    tree = parsed(source)
    if tree is None:
        return ()
    original = ast.unparse(tree)
    skipped = _docstrings(tree)
    places = [place for place, node in enumerate(ast.walk(tree)) if place not in skipped and _change(node) is not None]
    texts = (ast.unparse(_changed(tree, place)) for place in places)
    found = [text for text in dict.fromkeys(texts) if text != original]
    if len(found) <= limit:
        return tuple(found)
    chosen = random.Random(f"{seed}:{source}").sample(range(len(found)), limit)
    return tuple(found[index] for index in sorted(chosen))


def _docstrings(tree: ast.AST) -> set[int]:
    """Places of statements that are bare strings, of their constants, and of everything inside annotations."""
    apart = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    notes = [note for node in ast.walk(tree) for name in ("annotation", "returns") if (note := getattr(node, name, None))]
    inside = {id(child) for node in (*apart, *notes) for child in ast.walk(node)}
    return {place for place, node in enumerate(ast.walk(tree)) if id(node) in inside}


def _changed(tree: ast.AST, place: int) -> ast.AST:
    twin = copy.deepcopy(tree)
    target = next(node for index, node in enumerate(ast.walk(twin)) if index == place)
    return ast.fix_missing_locations(_Swap(target, _change(target) or target).visit(twin))


class _Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().generic_visit(node)


def _change(node: ast.AST) -> ast.AST | None:
    """What takes the place of ``node``, None where it stays; its parts are shared, its own fields are not."""
    return _operator(node) or _constant(node) or _flow(node)


def _operator(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in ARITHMETIC:
            return ast.AugAssign(target, ARITHMETIC[type(op)](), value)
        case ast.Compare(left=left, ops=[op, *rest], comparators=others) if type(op) in COMPARISON:
            return ast.Compare(left, [COMPARISON[type(op)](), *rest], others)
        case ast.BoolOp(op=op, values=values):
            return ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return operand
    return None


def _constant(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.Constant(value=bool(value)):
            return ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            return ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value:
            return ast.Constant("")
    return None


def _flow(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            return ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test=test, body=kept, orelse=other):
            return ast.IfExp(ast.UnaryOp(ast.Not(), test), kept, other)
        case ast.Return(value=ast.expr()):
            return ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()):
            return ast.Pass()
    return None
