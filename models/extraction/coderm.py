"""``coderm-1``: extraction exactly as CodeRM's preprocess scripts do it (arXiv 2501.01054; extract_solution, extract_unit_test).

Reproduces, does not improve: exactly one fenced block; for tests exactly one class anywhere in the tree, helper functions before
it lost, code after it cut. A class on the first line, with nothing before it, loses its text as it does there, and the sandbox
then says ``invalid_test``. Left out: the runner that their script appends to a test, since our sandbox runs the class itself.
Trade: figures compare with the paper's, at the price of tests that ``ast-2`` would save.
"""

from __future__ import annotations

import ast
import re

from models.extraction.reasons import Extracted
from models.python_source import parsed
from models.types import UnitTest

_TAGGED = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_UNTAGGED = re.compile(r"```\n(.*?)\n```", re.DOTALL)
_PLACEHOLDER_IMPORT = re.compile(r"^from\s+your_module\s+import\s+\w+(\s+#.*)?$", re.MULTILINE)
_MAIN_GUARDS = tuple(f"if __name__ == {quote}__main__{quote}:\n    unittest.main()" for quote in ("'", '"'))


def blocks(text: str) -> list[str]:
    """All ```` ```python ```` blocks; where there is none, all blocks without a tag."""
    return _TAGGED.findall(text) or _UNTAGGED.findall(text)


def _only_block(text: str) -> Extracted:
    found = blocks(text)
    if len(found) == 1:
        return Extracted(found[0])
    return Extracted(None, "several_code_blocks" if found else "no_code_block")


def extract_solution(text: str) -> Extracted:
    """The one block as it stands: no check of its syntax, no deduplication (equal programs are votes of consensus)."""
    return _only_block(text)


def extract_test(text: str) -> Extracted:
    """The one class of the one block, with every import of the block as a line of its own before it."""
    block = _only_block(text)
    if not isinstance(block.content, str):
        return block
    code = block.content
    tree = parsed(code)
    if tree is None:
        return Extracted(None, "does_not_parse")
    classes = sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree))
    if classes != 1:
        return Extracted(None, "several_classes" if classes else "no_test_class")
    for guard in _MAIN_GUARDS:
        code = code.replace(guard, "")
    source = _class_alone(_PLACEHOLDER_IMPORT.sub("", code)).rstrip("\n")
    return Extracted(UnitTest(source=source), key=source)


def _class_alone(code: str) -> str:
    imports = "\n".join(_imports(code))
    code = code[code.find("\nclass") :]
    if "\ndef" in code:
        lines = code[: code.find("\ndef")].splitlines()
        while lines and "#" in lines[-1]:
            lines.pop()
        code = "\n".join(lines)
    return f"{imports}\n{code}"


def _imports(code: str) -> list[str]:
    tree = parsed(code)
    if tree is None:
        return ["import unittest"]
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
            lines += [f"{origin}import {a.name}" + (f" as {a.asname}" if a.asname else "") for a in node.names]
    return lines
