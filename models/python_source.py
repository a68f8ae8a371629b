"""Python source as a tree, quietly and from any thread: what a model wrote may warn, nest too deep or hold NUL, and none of that is
our error.

One thread at a time: CPython 3.11 keeps the depth of the tree that it makes, and the filters of warnings, once a process
(python/cpython#106905). A run samples and executes in threads, and two that parsed at once have ended one with
``SystemError: AST constructor recursion depth mismatch``. Code of others parses too (a traceback that is printed does), so that
error is tried again.
"""

from __future__ import annotations

import ast
import os
import threading
import warnings

TRIES = 10
_ONE_AT_A_TIME = threading.RLock()  # reentrant: what a garbage collection runs may parse
os.register_at_fork(before=_ONE_AT_A_TIME.acquire, after_in_parent=_ONE_AT_A_TIME.release, after_in_child=_ONE_AT_A_TIME.release)


def parsed(source: str) -> ast.Module | None:
    """The tree, or None for what is no Python."""
    tree = _tree(source, "exec")
    return tree if isinstance(tree, ast.Module) else None


def expression(source: str) -> ast.Expression | None:
    """The tree of one expression, or None where it is none."""
    tree = _tree(source, "eval")
    return tree if isinstance(tree, ast.Expression) else None


def _tree(source: str, mode: str) -> ast.AST | None:
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for left in reversed(range(TRIES)):
            try:
                return ast.parse(source, mode=mode)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None
            except SystemError:
                if not left:
                    raise
    raise AssertionError("not reached")
