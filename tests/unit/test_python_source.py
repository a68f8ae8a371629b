"""Sources are read from several threads at once, as a run that samples and executes does."""

from __future__ import annotations

import ast
import gc
import threading
import time
import warnings
from collections.abc import Iterator

import pytest

from models.python_source import expression, parsed

LONG = "def f(x):\n    return " + "+".join(f"g(x[{i}], (x, [x]))" for i in range(200))


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads change in the middle of a tree that is made, at every garbage collection, and those are many."""

    def pause(_phase: str, _info: object) -> None:
        time.sleep(0.0001)

    before = gc.get_threshold()
    gc.callbacks.append(pause)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(pause)


@pytest.mark.usefixtures("switching")
def test_threads_that_parse_at_once_do_not_disturb_one_another() -> None:
    """``ast.parse`` here: SystemError, AST constructor recursion depth mismatch."""
    found: list[object] = []

    def read(depth: int) -> None:
        if depth:
            return read(depth - 1)
        for _ in range(15):
            try:
                found.append(parsed(LONG) is not None)
            except SystemError as error:
                found.append(error)
        return None

    threads = [threading.Thread(target=read, args=(depth,)) for depth in (1, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 30


@pytest.mark.parametrize("source", ["x = (", "a\0b", "(" * 5000, "\ud800", "return = 1"])
def test_what_is_no_python_is_none(source: str) -> None:
    assert parsed(source) is None
    assert expression(source) is None


def test_a_warning_of_the_compiler_is_not_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(parsed(r"x = '\d'"), ast.Module)
        assert isinstance(expression("1 is 1"), ast.Expression)
