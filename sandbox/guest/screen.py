"""What can be shown about a source by reading it: three properties that buy speed or trust. Never a verdict.

    innocent   solution  uses nothing with which it could reach the test, the result or the interpreter; only then may a pass
                         that had to run in one process with the test stand (flag ``one_process``)
    pure       solution  innocent, and keeps no state between calls; only then do several cells share one server process
    inert      test      leaves nothing behind in the judge; only then is the judge used again

Allow-lists throughout: a construct that is not known to be harmless makes the property false, and false costs time, or for
``innocent`` the pass.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import ast
import importlib
import types

MODULES = frozenset(
    (
        "math cmath collections itertools functools re heapq bisect string datetime copy operator json decimal fractions "
        "statistics hashlib typing numbers enum dataclasses abc calendar textwrap array __future__ collections.abc"
    ).split()
)
UNSTEADY = frozenset(("random", "time"))
"""Modules that an innocent source may import but a pure one may not."""
DENIED_NAMES = frozenset(
    (
        "exec eval compile globals locals vars getattr setattr delattr open input breakpoint exit quit help memoryview type "
        "object dir id attrgetter methodcaller get_type_hints SystemExit KeyboardInterrupt GeneratorExit BaseException "
        "BaseExceptionGroup license credits copyright solution your_module generated_test unittest make_dataclass "
        "update_wrapper wraps"
    ).split()
)
DENIED_ATTRIBUTES = frozenset(
    (
        "gi_frame gi_code cr_frame ag_frame f_back f_globals f_locals f_builtins f_code tb_frame tb_next with_traceback "
        "attrgetter methodcaller get_type_hints modules mro format_map make_dataclass update_wrapper wraps ForwardRef sys os "
        "builtins"
    ).split()
)
METHODS = frozenset(  # none with which a value could answer for itself: no comparison, truth or membership
    ("__init__ __len__ __iter__ __next__ __getitem__ __setitem__ __call__ __str__ __repr__ __add__").split()
)
PLAIN_DECORATORS = frozenset(("staticmethod", "classmethod", "property"))
TEST_MODULES = MODULES | {"unittest", "solution", "your_module"}
TEST_DENIED = (DENIED_NAMES - {"getattr", "type", "object", "dir", "id", "solution", "your_module", "unittest", "SystemExit"}) | {
    "print"
}


def imported(tree: ast.AST) -> tuple[set[str], dict[str, str]]:
    """(modules that are imported, names that are bound to a module and which)."""
    modules: set[str] = set()
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
            bound.update({alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            modules.add("." if node.level else str(node.module))
    return modules, bound


def offers(module: str, name: str) -> bool:
    """True when a public name of an allowed module is no module itself: those of the standard library lead everywhere."""
    if name.startswith("_"):
        return False
    value = getattr(importlib.import_module(module), name, None)
    return not isinstance(value, types.ModuleType) or value.__name__ == "collections.abc"


def _plain_objects(tree: ast.AST) -> set[int]:
    """The mentions of ``object`` that honest code is full of: ``object()``, equal to itself alone, and a class's only base."""
    plain: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            plain.add(id(node.func))
        elif isinstance(node, ast.ClassDef) and len(node.bases) == 1:
            plain.add(id(node.bases[0]))
    return plain


def _names(tree: ast.AST) -> set[str]:
    plain = _plain_objects(tree)
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not (n.id == "object" and id(n) in plain)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.name for alias in node.names)
    return found


def _is_dunder(name: str) -> bool:
    return name.startswith("__")


def innocent(tree: ast.AST) -> bool:
    """No way to the test, the result or the interpreter."""
    modules, bound = imported(tree)
    if not modules <= MODULES | UNSTEADY or _names(tree) & DENIED_NAMES:
        return False
    if any(_is_dunder(name) and name not in ("__name__", "__future__") for name in _names(tree)):
        return False
    own = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _stores_on_self(node)}
    bases = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return all(_harmless(node, bound, bases, own) for node in ast.walk(tree))


def _stores_on_self(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _harmless(node: ast.AST, modules: dict[str, str], bases: set[int], own: set[str]) -> bool:  # noqa: PLR0911 - one kind of node after the other
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id in modules and not offers(modules[node.value.id], node.attr):
            return False
        if _is_dunder(node.attr) or node.attr in DENIED_ATTRIBUTES:
            return node.attr == "__init__" and isinstance(node.ctx, ast.Load)
        return isinstance(node.ctx, ast.Load) or node.attr in own
    if isinstance(node, ast.Name):
        return node.id not in modules or (id(node) in bases and isinstance(node.ctx, ast.Load))
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return not _is_dunder(node.name) or node.name in METHODS
    if isinstance(node, ast.ImportFrom):
        return all(
            node.module in ("typing", "math") if alias.name == "*" else offers(str(node.module), alias.name) for alias in node.names
        )
    return not isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith))


def pure(tree: ast.Module) -> bool:
    """Innocent, and nothing survives a call."""
    modules, _ = imported(tree)
    if modules & UNSTEADY or not innocent(tree):
        return False
    if any(isinstance(node, ast.Global) for node in ast.walk(tree)):
        return False
    functions = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    if any(
        isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and _root(node) in functions
        for node in ast.walk(tree)
    ):
        return False
    return all(_stateless(node) for node in tree.body) and all(_stateless_function(node) for node in ast.walk(tree))


def _root(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _stateless(node: ast.stmt) -> bool:
    """A statement at the top of a module that makes no object which calls could change."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Pass)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return node.value is None or _constant(node.value)
    if isinstance(node, ast.ClassDef):
        return not node.decorator_list and not node.bases and not node.keywords and all(_stateless(child) for child in node.body)
    return False


def _stateless_function(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return True
    defaults = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value is not None]
    plain = all(isinstance(item, ast.Name) and item.id in PLAIN_DECORATORS for item in node.decorator_list)
    return plain and all(_constant(value) for value in defaults)


def _constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return all(_constant(item) for item in node.elts)
    if isinstance(node, (ast.UnaryOp, ast.BinOp)):
        return all(_constant(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return isinstance(node, ast.Constant)


def inert(tree: ast.Module) -> bool:
    """A test that leaves the judge as it found it."""
    modules, bound = imported(tree)
    if not modules <= TEST_MODULES or _names(tree) & TEST_DENIED:
        return False
    for node in ast.walk(tree):
        if isinstance(node, (ast.Global, ast.Delete, ast.AsyncFunctionDef)):
            return False
        if isinstance(node, ast.Attribute):
            if _is_dunder(node.attr) and node.attr not in ("__class__", "__name__", "__doc__"):
                return False
            if not isinstance(node.ctx, ast.Load) and _root(node) not in ("self", "cls"):
                return False
    return not any(name in bound for name in ("mock", "sys", "os"))
