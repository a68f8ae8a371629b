"""What can be shown about a source by reading it: four properties that buy speed or trust. Never a verdict.

    innocent   solution  (innocence.py) uses nothing with which it could reach the test, the result or the interpreter; only then
                         may a pass stand that rests on a comparison of its own (flag ``believed``)
    pure       solution  innocent, and keeps no state between calls; only then do several cells share one server process
    inert      test      leaves nothing behind in the judge; only then is the judge used again
    entangled  test      may fail only because data was copied: a failure is tried again with both sides kept alike

Allow-lists throughout: a construct that is not known to be harmless makes the property false, and false costs time, or for
``innocent`` the pass.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import ast

from sandbox.guest.allowed import DENIED_NAMES, MODULES
from sandbox.guest.innocence import imported, innocent, is_dunder, offers
from sandbox.guest.relations import name_of

__all__ = ["MODULES", "entangled", "inert", "innocent", "offers", "pure"]

PLAIN_DECORATORS = frozenset(("staticmethod", "classmethod", "property"))
TEST_MODULES = MODULES | {"unittest", "solution", "your_module"}
TEST_DENIED = (DENIED_NAMES - {"solution", "your_module", "unittest"}) | frozenset("print setattr vars exit quit".split())


def _names(nodes: list[ast.AST]) -> set[str]:
    found = {n.id for n in nodes if isinstance(n, ast.Name)}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.name for alias in node.names)
    return found


def pure(tree: ast.Module) -> bool:
    """Innocent, and nothing survives a call."""
    modules, _ = imported(tree)
    if not modules <= MODULES or not innocent(tree) or not all(_calm(node) for node in ast.walk(tree)):
        return False
    functions = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    if any(
        isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and _root(node) in functions
        for node in ast.walk(tree)
    ):
        return False
    return all(_stateless(node) for node in tree.body) and all(_stateless_function(node) for node in ast.walk(tree))


def _calm(node: ast.AST) -> bool:
    """Nothing with which a class or the module could be changed from inside of a call."""
    if isinstance(node, ast.Attribute):
        stored = not isinstance(node.ctx, ast.Load)
        return (not is_dunder(node.attr) or node.attr == "__init__") and not (stored and _root(node) in (None, "cls"))
    if isinstance(node, ast.Name):
        return node.id not in ("type", "cls", "getattr", "setattr", "vars") or isinstance(node.ctx, ast.Store)
    return not isinstance(node, (ast.Global, ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith))


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
    nodes = list(ast.walk(tree))
    if not modules <= TEST_MODULES or _names(nodes) & TEST_DENIED:
        return False
    for node in nodes:
        if isinstance(node, (ast.Global, ast.Delete, ast.AsyncFunctionDef)):
            return False
        if isinstance(node, ast.Attribute):
            if is_dunder(node.attr) and node.attr not in ("__class__", "__name__", "__doc__"):
                return False
            if not isinstance(node.ctx, ast.Load) and _root(node) not in ("self", "cls"):
                return False
    return not any(name in bound for name in ("mock", "sys", "os"))


SHARED_STATE = frozenset(
    (
        "redirect_stdout redirect_stderr stdout stderr stdin patch builtins environ putenv chdir seed setstate assertLogs "
        "assertNoLogs assertWarns assertWarnsRegex catch_warnings simplefilter getcontext setcontext localcontext "
        "setrecursionlimit signature getsource getfullargspec isgeneratorfunction iscoroutinefunction getmembers cache_clear "
        "cache_info __wrapped__ __doc__ __annotations__ __defaults__ __kwdefaults__ __code__ __module__ __dict__ __qualname__"
    ).split()
)


def entangled(tree: ast.Module) -> bool:
    """A test that looks at, or changes, what a process has once: streams, patches, seeds, the identity of what was returned.

    It may fail only because the solution is elsewhere; then it is run again with both sides kept alike.
    """
    return any(_shares(node) for node in ast.walk(tree))


def asks_identity(tree: ast.Module) -> bool:
    """A test that asks whether two values are one object, and not only of what class they are."""
    return any(_same(node, constants=(ast.Constant, ast.Call)) for node in ast.walk(tree))


def _same(node: ast.AST, *, constants: tuple[type[ast.AST], ...]) -> bool:
    if isinstance(node, ast.Compare):
        return isinstance(node.ops[0], (ast.Is, ast.IsNot)) and not isinstance(node.comparators[0], constants)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("assertIs", "assertIsNot"):
        return not any(isinstance(argument, constants) for argument in node.args[:2])
    return False


_RUNS = frozenset(("exec", "compile"))
_READERS = frozenset(("pickle", "marshal", "doctest", "shelve", "dill", "runpy"))


def evaluates(tree: ast.Module) -> tuple[str, ...]:
    """With what a test hands texts or bytes to the interpreter that it does not itself hold: they could be the solution's."""
    bound = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    texts = {
        name_of(node.targets[0])
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and bound.count(str(name_of(node.targets[0]))) == 1
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node.func) in _RUNS and node.args]
    own = {id(node.func) for node in calls if _own_text(node.args[0], texts)}
    runs = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in _RUNS and id(n) not in own}
    return tuple(sorted(runs | (imported(tree)[0] & _READERS)))


def _own_text(node: ast.expr, texts: set[str | None]) -> bool:
    if isinstance(node, ast.Call):
        return name_of(node.func) == "compile" and bool(node.args) and _own_text(node.args[0], texts)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in texts)


_OF_SOLUTION = ("solution", "your_module")


def taken(tree: ast.Module) -> tuple[str, ...]:
    """Names that a test reads and does not bind: they can only be the solution's, or Python's."""
    read: set[str] = set()
    bound: set[str] = set()
    modules = set(_OF_SOLUTION)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.ImportFrom) and node.module in _OF_SOLUTION:
            read.update(alias.name for alias in node.names)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules.update(alias.asname for alias in node.names if alias.name in _OF_SOLUTION and alias.asname)
            bound.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            bound.add(node.name)
    read.update(n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") in modules)
    return tuple(sorted(read - bound))


def assigned(tree: ast.Module) -> tuple[str, ...]:
    """Names of modules that a test assigns to, or deletes: ``sys.stdin``, ``time.sleep``; never one of the solution's."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update((alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2 for alias in node.names)
    places = {
        _dotted(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and _root(node) in modules
    }
    named = ((root, rest) for root, _, rest in (place.partition(".") for place in places) if rest)
    return tuple(sorted(f"{modules[root]}.{rest}" for root, rest in named if modules[root] not in _OF_SOLUTION))


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _shares(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any(alias.name in SHARED_STATE for alias in node.names)
    if isinstance(node, (ast.Compare, ast.Call)) and _same(node, constants=(ast.Constant,)):
        return True
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in SHARED_STATE
