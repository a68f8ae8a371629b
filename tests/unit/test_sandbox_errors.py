"""Exceptions between the two sides: the judge's own object says what the solution's said, and a lie stays data."""

from __future__ import annotations

import decimal
import json
import queue
import re
import subprocess
import unittest
from typing import Any

import pytest

from sandbox.guest import errors, guards, sharing


class OutOfRange(ValueError):
    """An exception as solutions write them."""

    def __init__(self, value: int) -> None:
        """Keeps a field, and says something of its own."""
        self.value = value
        super().__init__("range", value)

    def __str__(self) -> str:
        """Not the arguments."""
        return f"{self.value} is out of range"


class Given(BaseException):
    """What ``give_up`` makes here."""


def through(error: BaseException) -> Any:
    described = json.loads(json.dumps(errors.describe(error)))["raised"]
    return errors.rebuild(described, Given)


def test_name_fields_text_and_cause_cross() -> None:
    error = OutOfRange(7)
    error.__cause__ = KeyError("k")
    found = through(error)
    assert (type(found).__name__, found.args, found.value, str(found)) == ("OutOfRange", ("range", 7), 7, "7 is out of range")
    assert isinstance(found, ValueError)
    assert not isinstance(found, OutOfRange)
    assert repr(found.__cause__) == "KeyError('k')"


@pytest.mark.parametrize(
    "error",
    [
        decimal.InvalidOperation([decimal.ConversionSyntax]),
        queue.Empty(),
        re.error("bad", "(", 0),
        subprocess.CalledProcessError(2, ["x"]),
        FileNotFoundError(2, "No such file", "/x"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        json.JSONDecodeError("bad", "[", 1),
        KeyError("k"),
        StopIteration(3),
    ],
)
def test_errors_of_the_library_keep_class_text_and_fields(error: BaseException) -> None:
    found = through(error)
    assert type(found) is type(error)
    assert str(found) == str(error) or isinstance(error, decimal.InvalidOperation)
    for name in ("filename", "start", "pos", "returncode", "value", "errno"):
        assert getattr(found, name, None) == getattr(error, name, None)


def test_what_did_not_cross_is_asked_for_where_it_is() -> None:
    error = OutOfRange(1)
    error.value = object()  # type: ignore[assignment]
    found = through(error)
    with pytest.raises(Given):
        _ = found.value
    with pytest.raises(AttributeError):
        _ = found.__wrapped__


def test_a_name_alone_makes_no_error_of_the_library() -> None:
    found = through(type("JSONDecodeError", (ValueError,), {})("x"))
    assert not isinstance(found, json.JSONDecodeError)
    assert not isinstance(through(type("KeyError", (Exception,), {})("x")), KeyError)


@pytest.mark.parametrize(
    "raised",
    [
        [],
        ["X", "unittest.SkipTest", [], {}, None, None],
        ["X", "SkipTest", [], {}, None, None],
        ["X", "os.system", [], {}, None, None],
        ["X", "json.decoder", [], {}, None, None],
        ["X", "re.compile", [], {}, None, None],
        ["X", ["ValueError"], [], {}, None, None],
        ["X", "ValueError", [{"zz": 1}], {}, None, None],
        ["X", "ValueError", 3, {}, None, None],
        ["X", "ValueError", [], [1], None, None],
        ["X", "ValueError", [], {}, None, ["X"]],
        ["X\0", "ValueError", [], {}, None, None],
    ],
)
def test_malformed_exceptions_are_refused(raised: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        errors.rebuild(raised, Given)


def test_fields_cannot_reach_what_the_interpreter_reads() -> None:
    lies = {"__class__": 1, "__eq__": 1, "__cause__": 1, "__traceback__": 1, "args": [9], "code": 5}
    found = errors.rebuild(["X", "ValueError", ["a"], lies, {"t": []}, None], Given)
    assert (found.args, str(found), vars(found)["code"], found.__cause__) == (("a",), "a", 5, None)
    assert isinstance(found, ValueError)
    assert not isinstance(found, unittest.SkipTest)


class Own:
    """A class of the module that the guard is for."""


def test_names_made_at_run_time_are_looked_at() -> None:
    names = guards.names(__name__, sharing.Questions(__name__))
    own = Own()
    names["setattr"](own, "x", [1])
    assert (names["getattr"](own, "x"), names["getattr"](own, "y", 3), names["len"]([1])) == ([1], 3, 1)
    assert names["getattr"]([1], "__len__")() == 1
    for obj, name in (
        (own, "__globals__"),
        (test_names_made_at_run_time_are_looked_at, "__code__"),
        (json, "loads"),
        (own, "f_back"),
    ):
        with pytest.raises(AttributeError):
            names["getattr"](obj, name)
    for obj, name in ((own, "__class__"), (Own, "__eq__"), (json, "loads"), (decimal.Decimal, "x"), (unittest.TestCase, "maxDiff")):
        with pytest.raises(AttributeError):
            names["setattr"](obj, name, None)
    with pytest.raises(AttributeError):
        names["getattr"](own, type("S", (str,), {})("x"))
    with pytest.raises(KeyError):
        _ = names["nothing_of_the_kind"]
