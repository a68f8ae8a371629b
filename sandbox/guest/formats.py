"""Small questions about a source: what a format reads, which contexts are left again, what is assigned, which words it has."""

from __future__ import annotations

import ast
import string

from sandbox.guest.allowed import DENIED_ATTRIBUTES


def plain_template(text: str) -> bool:
    """A text for ``format`` whose fields, and those in their specifications, look at no attribute that code could not."""
    try:
        parts = [(field or "", spec or "") for _, field, spec, _ in string.Formatter().parse(text)]
    except ValueError:
        return True
    if not all(plain_template(spec) for _, spec in parts if "{" in spec):
        return False
    fields = [field for field, _ in parts]
    words = {word for field in fields for word in field.replace("[", ".").replace("]", ".").split(".")}
    return not words & DENIED_ATTRIBUTES and not any(word.startswith("__") for word in words)


def entered(nodes: list[ast.AST]) -> list[ast.expr]:
    """What is called in a ``with``, but in generators, which may leave it entered."""
    suspended = {
        id(n)
        for f in nodes
        if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(f))
        for n in ast.walk(f)
    }
    blocks = [n for n in nodes if isinstance(n, (ast.With, ast.AsyncWith)) and id(n) not in suspended]
    calls = [item.context_expr for block in blocks for item in block.items]
    return [call.func for call in calls if isinstance(call, ast.Call)]


def assigned(statement: ast.stmt) -> list[str]:
    """Names that a statement of a class body gives to its instances."""
    targets = (
        statement.targets
        if isinstance(statement, ast.Assign)
        else [statement.target]
        if isinstance(statement, ast.AnnAssign)
        else []
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]


def words(node: ast.AST) -> set[str]:
    """Names and attributes in it."""
    return {str(getattr(n, "id", getattr(n, "attr", ""))) for n in ast.walk(node)}
