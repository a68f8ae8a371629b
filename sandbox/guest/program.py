"""Turning sources into running code: the meaning of a cell for function problems (README.md, last section).

Each source is compiled alone, so a test cannot repair a solution nor inherit its ``__future__`` switches. The test sees the
solution's public names and the modules ``solution`` and ``your_module``. A name that would hide a builtin, or that is a library
module's and no module, is left out unless it is the entry point: a solution does not decide what ``len`` or ``math.isclose`` mean
in the test. Every assert statement of the test (and ``testing.assert_*`` of a package) is followed by a tick, so that "at least one
assert ran" is seen, not guessed; one that does not hold is counted before it raises, since whoever catches it may be the solution.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import marshal
import re
import resource
import sys
import types
import typing
from typing import Any, Tuple  # noqa: UP035

from sandbox.guest import guards, screen, sharing

TICK, MISS, WHOLE = "__assert_ran__", "__assert_missed__", "__whole__"
APPLIED = frozenset(("map", "filter", "starmap", "takewhile", "dropwhile", "filterfalse", "iter"))
TEST_WORDS = ("assert", "raise", "*", *sorted(APPLIED))
"""A test without any of them is run as it is."""
MODULES = frozenset(getattr(sys, "stdlib_module_names", ())) | {"np", "numpy", "pd", "pandas", "pytest"}
CHECKS = re.compile(r"(?!solution\.|your_module\.)\w[\w.]*\.testing\.assert\w*")
TEST_MODULE = guards.TEST_MODULE
NODES = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
"""


class Uncompilable(Exception):
    """The source does not compile; ``memory`` when it ran out of memory doing so."""

    def __init__(self, reason: str, memory: bool = False) -> None:
        """``reason``: one line for people."""
        super().__init__(reason)
        self.memory = memory


class _Ticker(ast.NodeTransformer):
    """Asserts, and calls such as ``np.testing.assert_allclose`` of a testing module that the test itself has imported."""

    def __init__(self, tree: ast.AST) -> None:
        self.asserts = 0
        self.raises = 0
        self.paths: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.paths.update((a.asname, a.name) if a.asname else (a.name.split(".")[0],) * 2 for a in node.names)
            elif isinstance(node, ast.ImportFrom):
                self.paths.update((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)

    def _ticked(self, node: ast.stmt) -> list[ast.stmt]:
        self.asserts += 1
        where = _where(node)
        return [node, ast.Expr(_called(TICK, where), **where)]

    def visit_Assert(self, node: ast.Assert) -> Any:
        """``assert x`` becomes ``assert not not x or missed() < 0``: x is asked once, and a miss is counted."""
        self.generic_visit(node)
        where = _where(node)
        holds = ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), node.test, **where), **where)
        missed = ast.Compare(_called(MISS, where), [ast.Lt()], [ast.Constant(0, **where)], **where)
        node.test = ast.BoolOp(ast.Or(), [holds, missed], **where)
        return self._ticked(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """The solution's public names are there already, without those that it does not decide."""
        if node.module in ("solution", "your_module") and node.names[0].name == "*":
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        """``map(f, xs)``: a StopIteration out of ``f`` would end the loop quietly; it is made an error, as in a generator."""
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in APPLIED and len(node.args) > 1 and not isinstance(node.args[0], ast.Starred):
            node.args[0] = ast.copy_location(ast.Call(ast.Name(WHOLE, ast.Load()), [node.args[0]], []), node.args[0])
            ast.fix_missing_locations(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.generic_visit(node)
        checks = isinstance(node.value, ast.Call) and CHECKS.fullmatch(self._path(node.value.func))
        return self._ticked(node) if checks else node

    def _path(self, node: ast.expr) -> str:
        """The full name of what is called; empty unless it comes from an import of the test."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        root = self.paths.get(node.id) if isinstance(node, ast.Name) else None
        return ".".join([root, *reversed(parts)]) if root else ""

    def visit_Raise(self, node: ast.Raise) -> Any:
        self.raises += 1
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if not (isinstance(raised, ast.Name) and raised.id == "AssertionError"):
            return node
        where = _where(node)
        return [ast.Expr(_called(MISS, where), **where), node]


def _where(node: ast.stmt) -> dict[str, Any]:
    """Its place as keywords of new nodes: setting it node by node afterwards took most of the time of a long test."""
    return {name: getattr(node, name, None) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}


def _called(name: str, where: dict[str, Any]) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load(), **where), [], [], **where)


TestCode = Tuple[types.CodeType, int, int, bool, bool, Tuple[str, ...], Tuple[str, ...], bool, Tuple[str, ...], Tuple[str, ...]]  # noqa: UP006
"""Byte code of a test, its assert and raise statements, whether it is inert, whether entangled (screen), what it imports first,
what it takes from the solution, whether it asks what is one object, with what it runs texts or bytes that are not its own, which
names of the library's modules it assigns to."""
INNOCENT, PURE = 1, 2
"""First byte of a compiled solution: what screen could show."""


def unmarshal(source: str | bytes) -> Any:
    """What the compiler process made of a source (of a solution: ``solution_code``), or None for one that is still text."""
    return marshal.loads(source[1:]) if isinstance(source, bytes) else None


def compile_solution(source: str) -> bytes:
    """Byte code of a solution behind one byte of what reading it could show. Raises Uncompilable."""
    code = compile_alone(source, "<solution>")
    tree = ast.parse(source)
    shown = (INNOCENT if screen.innocent(tree) else 0) | (PURE if screen.pure(tree) else 0)
    if shown and guards.LOOKED_UP & set(mentioned(code)):
        code = compile_alone(guards.as_calls(tree), "<solution>")
    asking = compile_alone(sharing.asking(tree), "<solution>") if shown & INNOCENT else None
    return bytes((shown,)) + marshal.dumps((code, asking))


def solution_code(source: str | bytes, *, shared: bool = False) -> types.CodeType:
    """Byte code of a solution; ``shared``: the form that is watched, where there is one. Raises Uncompilable."""
    plain, asking = unmarshal(source) or (compile_alone(source, "<solution>"), None)
    return asking if shared and asking is not None else plain


def shown(source: str | bytes) -> int:
    """That byte; 0 for a source that is still text."""
    return source[0] if isinstance(source, bytes) else 0


def encode(source: str | bytes) -> list[str]:
    """A source or its byte code as JSON."""
    return ["code", source.hex()] if isinstance(source, bytes) else ["text", source]


def decode(data: list[str]) -> str | bytes:
    """Inverse of ``encode``."""
    return bytes.fromhex(data[1]) if data[0] == "code" else data[1]


def compile_alone(source: str | bytes | ast.AST, filename: str) -> types.CodeType:
    """Byte code of one source. Raises Uncompilable for whatever the compiler says, parser bombs included."""
    try:
        return compile(source, filename, "exec", dont_inherit=True)  # type: ignore[arg-type]
    except MemoryError as error:
        raise Uncompilable("too complex to compile", memory=_used_mib() > 256) from error
    except (SyntaxError, ValueError, RecursionError, OverflowError, UnicodeError) as error:
        raise Uncompilable(f"{type(error).__name__}: {error}") from error


def _used_mib() -> float:
    """The parser answers MemoryError to deep nesting too; only one that really used memory is out of memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compile_test(source: Any) -> TestCode:
    """Byte code of a test with a tick after every assert, and what was counted on the way. Raises Uncompilable."""
    try:
        tree = ast.parse(source, "<test>")
        inert, entangled, first = screen.inert(tree), screen.entangled(tree), _imported_first(tree)
        taken, identity = screen.taken(tree), screen.asks_identity(tree)
        runs, assigned = screen.evaluates(tree), screen.assigned(tree)
        ticker = _Ticker(tree)
        tree = ticker.visit(tree) if any(word in source for word in TEST_WORDS) else tree
    except MemoryError as error:
        raise Uncompilable("too complex to parse", memory=_used_mib() > 256) from error
    except (SyntaxError, ValueError, RecursionError, OverflowError, UnicodeError) as error:
        raise Uncompilable(f"{type(error).__name__}: {error}") from error
    shown = (ticker.asserts, ticker.raises, inert, entangled, first, taken, identity, runs, assigned)
    return (compile_alone(tree, "<test>"), *shown)


def _imported_first(tree: ast.Module) -> tuple[str, ...]:
    """Names that a test binds before it does anything, and not from the solution: what the solution holds there does not matter."""
    bound: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            names = {alias.asname or alias.name.split(".")[0] for alias in statement.names}
            own = getattr(statement, "module", "") in ("solution", "your_module")
            bound = bound - names if own else bound | names
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            break
    return tuple(sorted(bound - {"*"}))


def mentioned(code: types.CodeType) -> list[str]:
    """Every global or attribute name in byte code."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(mentioned(constant))
    return sorted(found)


def texts(code: types.CodeType) -> str:
    """Every text in byte code, one a line."""
    found = [constant for constant in code.co_consts if isinstance(constant, str)]
    return "\n".join([*found, *(texts(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))])


def load_solution(code: types.CodeType, entry_point: str | None, more: dict[str, Any] | None = None) -> types.ModuleType:
    """Run a solution as a module; whatever it raises is the caller's. ``more``: names that it starts with (guards, sharing).

    LeetCode's ``class Solution`` becomes a function, unless there is one of that name, and finds the names of ``typing`` and the
    nodes of lists and trees that it mentions.
    """
    module = types.ModuleType("solution")
    sys.modules["solution"] = sys.modules["your_module"] = module
    names = module.__dict__
    names.update(more or {})
    if entry_point and "Solution" in code.co_names:  # LeetCode's own editor has these imported
        names.update({name: getattr(typing, name) for name in typing.__all__})
        if {"ListNode", "TreeNode"} & set(mentioned(code)):
            exec(NODES, names)
    exec(code, names)
    if entry_point and entry_point not in names and callable(getattr(names.get("Solution"), entry_point, None)):
        names[entry_point] = _method_as_function(names["Solution"], entry_point)
    return module


def _method_as_function(cls: Any, name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(cls(), name)(*args, **kwargs)

    call.__name__ = name
    return call


def test_namespace(module: types.ModuleType, entry_point: str | None) -> dict[str, Any]:
    """The globals in which a test starts."""
    hidden = set(dir(builtins)) - {entry_point}
    names = {name: value for name, value in list(vars(module).items()) if name[:1] != "_" and name not in hidden}
    for name in MODULES & names.keys() - {entry_point}:
        if not isinstance(names[name], types.ModuleType):
            del names[name]
    test = types.ModuleType(TEST_MODULE)
    sys.modules[TEST_MODULE] = test
    test.__dict__.update(names)
    test.__dict__.update({name: itertools.count(1).__next__ for name in (TICK, MISS)})
    test.__dict__[WHOLE] = whole
    return test.__dict__


def whole(function: Any) -> Any:
    """A function or class that never says that its caller's loop is over; anything else, and built-in classes, as they are."""
    if function is None or not callable(function) or (type(function) is type and function.__module__ == "builtins"):
        return function

    def called(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except StopIteration as error:
            raise RuntimeError("StopIteration out of a function that a loop calls") from error

    return called


def ticks(namespace: dict[str, Any]) -> int:
    """How many asserts of the test were reached and held."""
    return int(namespace[TICK]()) - 1


def misses(namespace: dict[str, Any]) -> int:
    """How many assertions of the test were reached and did not hold, whatever became of them."""
    return int(namespace[MISS]()) - 1
