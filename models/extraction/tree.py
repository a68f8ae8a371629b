"""``ast-2``: extraction by the syntax tree. Decides by what the code defines, and not by how the answer is laid out.

Several blocks are no fault: the longest that holds what was asked for is taken. Helpers are kept wherever they stand. A test that
brings its own copy of the function under test loses the copy (it would judge itself and never the candidate), and imports of that
function from invented modules. A response that was cut keeps what was complete before the cut: for a test whole methods, for a
solution only what still defines the entry point. Two tests are the same when their trees are.
Refuses code that does not parse, solutions without the entry point, tests without a case.
"""

from __future__ import annotations

import ast
import re

from models.extraction.reasons import Extracted, Reason
from models.extraction.syntax import dumped, longest_prefix
from models.python_source import parsed
from models.types import UnitTest

_FENCED = re.compile(r"^[ \t]*```[ \t]*(?P<tag>[\w+.-]*)[^\n]*\n(?P<body>.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_TAGS = frozenset({"", "python", "python3", "py", "py3"})


def blocks(text: str) -> list[str]:
    """Bodies of all blocks that may hold Python, the last one also without its closing fence; the whole text without a fence."""
    found = [match["body"] for match in _FENCED.finditer(text) if match["tag"].lower() in _TAGS]
    return found if found or "```" in text else [text]


def extract_solution(text: str, entry_point: str | None, *, cut: bool) -> Extracted:
    """The longest block that defines ``entry_point`` (None: any program). ``cut``: the response ended at its token limit."""
    candidates = [(source, tree) for source, tree in _trees(text, 0, cut=cut) if tree.body]
    if not candidates:
        return Extracted(None, _no_code(text, cut=cut))
    right = [(s, t) for s, t in candidates if entry_point is None or entry_point in defined(t) or _method(t, entry_point)]
    if not right:
        return Extracted(None, "truncated" if cut else "no_entry_point")
    source, tree = max(right, key=lambda found: len(found[0]))
    if entry_point is not None and entry_point not in defined(tree):
        source = (
            f"{source.rstrip()}\n\n\ndef {entry_point}(*args, **kwargs):\n    return Solution().{entry_point}(*args, **kwargs)\n"
        )
    return Extracted(source)


def extract_test(text: str, entry_point: str | None, *, cut: bool) -> Extracted:
    """The longest block with a test class that has test methods, or with bare asserts."""
    candidates = _trees(text, 4, cut=cut)
    if not candidates:
        return Extracted(None, _no_code(text, cut=cut))
    right = [(source, tree) for source, tree in candidates if _has_case(tree)]
    if not right:
        return Extracted(None, "truncated" if cut else "no_test_class")
    source, tree = max(right, key=lambda found: len(found[0]))
    source, tree = _without_foreign_parts(source, tree, entry_point)
    if not _has_case(tree):
        return Extracted(None, "no_test_class")
    return Extracted(UnitTest(source=source), key=dumped(tree))


def _trees(text: str, indent: int, *, cut: bool) -> list[tuple[str, ast.Module]]:
    """Blocks that parse, each with its tree; of a cut response the last block as far as it was complete."""
    bodies = blocks(text)
    found = []
    for at, body in enumerate(bodies):
        whole = body if parsed(body) is not None else longest_prefix(body, indent) if cut and at == len(bodies) - 1 else None
        tree = parsed(whole) if whole is not None else None
        if whole is not None and tree is not None:
            found.append((whole, tree))
    return found


def _no_code(text: str, *, cut: bool) -> Reason:
    if cut:
        return "truncated"
    return "does_not_parse" if "```" in text and blocks(text) else "no_code_block"


def defined(tree: ast.Module) -> frozenset[str]:
    """Names that the module binds at its top: functions, classes, plain assignments, imports."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return frozenset(names)


def _method(tree: ast.Module, name: str) -> bool:
    """Whether a class ``Solution`` has a method of this name, as LeetCode's starter code asks."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Solution"]
    return any(isinstance(node, ast.FunctionDef) and node.name == name for cls in classes for node in cls.body)


def _has_case(tree: ast.Module) -> bool:
    methods = [
        node.name
        for cls in tree.body
        if isinstance(cls, ast.ClassDef)
        for node in cls.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(name.startswith("test") for name in methods) or any(isinstance(node, ast.Assert) for node in tree.body)


def _without_foreign_parts(source: str, tree: ast.Module, entry_point: str | None) -> tuple[str, ast.Module]:
    """Drop the test's own copy of the function, its imports from elsewhere, and what starts the tests; add a missing import."""
    dropped = [node for node in tree.body if _is_foreign(node, entry_point)]
    kept = ast.Module(body=[node for node in tree.body if node not in dropped], type_ignores=[])
    lines = source.split("\n")
    for node in reversed(dropped):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        del lines[first - 1 : node.end_lineno]
    text = "\n".join(lines).strip("\n") + "\n"
    again = parsed(text)
    if again is None or dumped(again) != dumped(kept):  # two statements on one line
        text = ast.unparse(kept) + "\n"
    if "unittest" not in defined(kept) and any(isinstance(n, ast.Name) and n.id == "unittest" for n in ast.walk(kept)):
        text = f"import unittest\n\n{text}"
    return text, parsed(text) or kept


def _is_foreign(node: ast.stmt, entry_point: str | None) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name == entry_point
    if isinstance(node, ast.ClassDef):
        return node.name in (entry_point, "Solution") and not any(_names_test_case(base) for base in node.bases)
    if isinstance(node, ast.ImportFrom):
        return entry_point is not None and all(alias.name in (entry_point, "Solution") for alias in node.names)
    if isinstance(node, ast.If):
        return "__name__" in {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("unittest.main(")


def _names_test_case(base: ast.expr) -> bool:
    return ast.unparse(base).endswith("TestCase")
