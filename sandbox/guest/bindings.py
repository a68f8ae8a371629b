"""Which names a source binds, and which of its classes are surely the solution's own: bound once, and built by nothing that could
put something else in their place.
"""

from __future__ import annotations

import ast
import functools
import importlib
import types
from collections import Counter

from sandbox.guest.allowed import MODULES, UNSTEADY
from sandbox.guest.relations import name_of


@functools.lru_cache(maxsize=64)
def starred(module: str) -> frozenset[str]:
    """What ``from module import *`` binds, for a module of which every member may be used and none is a module."""
    if module not in MODULES | UNSTEADY or module == "__future__":
        return frozenset()
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [name for name in vars(loaded) if name[:1] != "_"])
    return frozenset() if any(isinstance(getattr(loaded, name), types.ModuleType) for name in names) else frozenset(names)


def bound_names(node: ast.AST) -> list[str]:
    """Names that one node of a source binds, in whatever way."""
    kind = type(node).__name__
    if kind in ("ClassDef", "FunctionDef", "AsyncFunctionDef", "ExceptHandler", "MatchAs", "MatchStar", "MatchMapping"):
        name = getattr(node, "rest" if kind == "MatchMapping" else "name", None)
        return [name] if name else []
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return sorted(starred(str(node.module))) or ["*"]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    return [node.arg] if isinstance(node, ast.arg) else []


def own_classes(tree: ast.Module) -> frozenset[str]:
    """Classes of the source whose instances are surely its own: bound once, and not built by what could give something else."""
    bound = Counter(name for node in ast.walk(tree) for name in bound_names(node))
    if "*" in bound:
        return frozenset()
    structural = any(getattr(n, "id", getattr(n, "attr", getattr(n, "name", ""))) == "Protocol" for n in ast.walk(tree))
    classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and not (structural and n.bases)]
    return frozenset(n.name for n in classes if bound[n.name] == 1 and _stays(n))


def _stays(node: ast.ClassDef) -> bool:
    """No decorator, metaclass or keyword that could put something else in the place of the class.

    Where protocols are used, a class with bases may be one: whatever has its methods would be its instance.
    """
    heads = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    names = [head.attr if isinstance(head, ast.Attribute) else name_of(head) for head in heads]
    return not node.keywords and all(name in ("dataclass", "total_ordering", "unique") for name in names)
