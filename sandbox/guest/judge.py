"""What a test says about a solution, as one letter (sandbox.guest.report).

A pass needs evidence: a test method that ran and succeeded, an assert that held, or a ``check`` that was called. Skips, empty
suites, coroutines that nobody awaits and classes that come from the solution are no evidence. A test that fails and errs has
failed: the assertion comes first. A solution that takes a callback, decorates or is derived from may catch the test's own
assertion: one that did not hold is never a pass, whoever caught it.
"""

# ruff: noqa: N802, ARG002 - the method names and arguments are those of unittest.TestResult
from __future__ import annotations

import ast
import json
import types
import unittest
from collections.abc import Callable
from typing import Any

from sandbox.guest import derived, described, program, report

DEFERRED = 0x20 | 0x80 | 0x200
"""Flags of generators, coroutines and both at once (``inspect``, which is not loaded for three numbers)."""


def _main(*args: Any, **keywords: Any) -> Any:
    """``unittest.main`` of a test that calls it unguarded: its classes are run behind it, as ``python test.py`` would."""
    return unittest.TestProgram(*args, **keywords) if not keywords.get("exit", True) else None


unittest.main = _main  # type: ignore[assignment]


class Tally(unittest.TestResult):
    """Counts what really happened; keeps no traceback."""

    def __init__(self) -> None:
        """All counters at zero."""
        super().__init__()
        self.held = self.failed = self.erred = self.skipped_count = self.expected = 0
        self.memory = False
        self.first = ""

    def _note(self, error: Any) -> None:
        self.memory = self.memory or issubclass(error[0], MemoryError)
        self.first = self.first or describe(error[1])

    def addSuccess(self, test: Any) -> None:
        """A method ran to its end; what it only handed back, as a coroutine does, did not run."""
        code = _code(type(test), test._testMethodName)
        deferred = code is not None and code.co_flags & DEFERRED and not isinstance(test, unittest.IsolatedAsyncioTestCase)
        self.held += not deferred

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        """A method failed as its decorator says it must."""
        self.held += 1
        self.expected += 1

    def addUnexpectedSuccess(self, test: Any) -> None:
        """A method marked as failing did not fail."""
        self.failed += 1

    def addFailure(self, test: Any, err: Any) -> None:
        """An assertion did not hold."""
        self.failed += 1
        self._note(err)

    def addError(self, test: Any, err: Any) -> None:
        """Anything else was raised."""
        self.erred += 1
        self._note(err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """One block of ``subTest`` ended; None: well."""
        if err is not None:
            (self.addFailure if issubclass(err[0], test.failureException) else self.addError)(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        """A skip is no evidence."""
        self.skipped_count += 1

    @property
    def letter(self) -> str:
        """The verdict of the suite."""
        if self.memory:
            return report.MEMORY
        if self.failed:
            return report.FAILED
        if self.erred:
            return report.ERROR
        return report.PASSED if self.held else report.BAD_TEST


def describe(error: BaseException) -> str:
    """One line for people; never trusts the exception's own text to be a string, or to come at all."""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except BaseException:
        return "an exception whose text cannot be shown"


def test_cases(namespace: dict[str, Any], solution: dict[str, Any]) -> list[type[unittest.TestCase]]:
    """Every TestCase class of the test, in order of definition, and none of the solution's or of unittest itself."""
    foreign = {id(value) for value in solution.values()}
    return [
        value
        for value in list(namespace.values())
        if isinstance(value, type)
        and issubclass(value, unittest.TestCase)
        and id(value) not in foreign
        and not value.__module__.startswith("unittest")
    ]


def _code(cls: type, name: str) -> types.CodeType | None:
    found = getattr(getattr(cls, name, None), "__code__", None)
    return found if isinstance(found, types.CodeType) else None


def failure(missed: Callable[[], int]) -> type[AssertionError]:
    """An exception for ``failureException`` that counts; to unittest every AssertionError is still one."""

    class Kind(type):
        def __subclasscheck__(cls, other: type) -> bool:
            return AssertionError in other.__mro__

    class Failure(AssertionError, metaclass=Kind):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            missed()

    Failure.__name__ = "AssertionError"
    return Failure


def run_classes(classes: list[type[unittest.TestCase]]) -> Tally:
    """Run them as ``python -m unittest`` would, fixtures of class and module included."""
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(cls) for cls in classes)
    tally = Tally()
    suite.run(tally)
    return tally


def watch(classes: list[type[unittest.TestCase]], missed: Callable[[], int]) -> None:
    """Have the assertions of unittest count their misses, where a class does not raise something of its own.

    ``assertSetEqual`` asks the values themselves how they differ, and so is given plain sets.
    """
    for cls in classes:
        if cls.assertSetEqual is unittest.TestCase.assertSetEqual:
            cls.assertSetEqual = _sets_equal  # type: ignore[method-assign, assignment]
        if cls.failureException is AssertionError:
            cls.failureException = failure(missed)


def _sets_equal(case: unittest.TestCase, first: Any, second: Any, msg: Any = None) -> None:
    sets = [frozenset(v) if type(v) not in (set, frozenset) and hasattr(v, "difference") else v for v in (first, second)]
    compare: Any = unittest.TestCase.assertSetEqual
    compare(case, *sets, msg)


def replaced(classes: list[type[unittest.TestCase]], test: types.CodeType) -> bool:
    """A decorator of the solution stands in the place of a test method, or has taken it away.

    ``test``: the byte code, whose classes say which methods there were.
    """
    names = ((cls, name) for cls in classes for name in unittest.defaultTestLoader.getTestCaseNames(cls))
    codes = [_code(cls, name) for cls, name in names]
    stands = zip(codes, (name for cls in classes for name in unittest.defaultTestLoader.getTestCaseNames(cls)))  # noqa: B905
    if any(code is not None and code.co_name != name and code.co_name.startswith("test") for code, name in stands):
        return True
    return any(code is None or code.co_filename == "<solution>" for code in codes) or any(
        inner.co_name.startswith("test") and inner.co_filename == "<test>" and not callable(getattr(cls, inner.co_name, None))
        for cls in classes
        for body in test.co_consts
        if isinstance(body, types.CodeType) and body.co_name == cls.__name__
        for inner in body.co_consts
        if isinstance(inner, types.CodeType)
    )


def blame(error: BaseException) -> str:
    """The letter for what escaped from the code of a test."""
    if isinstance(error, MemoryError):
        return report.MEMORY
    if isinstance(error, unittest.SkipTest):
        return report.BAD_TEST
    return report.FAILED if isinstance(error, AssertionError) else report.ERROR


def literal(text: Any, *_: Any) -> Any:
    """``eval`` as a test has it: of a text that stands for plain data. Raises ValueError for any other, which could be code."""
    return ast.literal_eval(str(text).strip())


def run_test(test: program.TestCode, module: Any, entry_point: str | None) -> tuple[str, str]:
    """Run a compiled test against ``module``, or what stands for it; whatever escapes from the test is the caller's."""
    code, asserts, raises = test[:3]
    if set(test[8]) - {entry_point}:
        return report.GARBLED, "the test runs as code what a solution may have written"
    namespace = program.test_namespace(module, entry_point)
    own = {"eval": literal, "vars": described.namespace, "super": derived.super_of_tests}
    namespace.update({name: function for name, function in own.items() if name in test[6] and name != entry_point})
    described.let_json_read(json.JSONEncoder)
    exec(code, namespace)
    held = 0
    check = namespace.get("check")
    if entry_point and callable(check) and check is not vars(module).get("check"):
        check(getattr(module, entry_point) if hasattr(module, entry_point) else _missing(entry_point))
        held += 0 if asserts or not raises else 1
    classes = test_cases(namespace, vars(module))
    if _holds_objects(module):
        watch(classes, namespace[program.MISS])
    tally = run_classes(classes) if classes else None
    if tally is not None and tally.letter != report.PASSED:
        return tally.letter, tally.first or "no test ran that was not skipped"
    held += program.ticks(namespace) + (tally.held if tally else 0)
    missed = program.misses(namespace) > (tally.expected if tally else 0)
    if _holds_objects(module) and (missed or replaced(classes, code)):
        return report.GARBLED, "an assertion of the test did not hold, or never ran, and the solution kept it quiet"
    return (report.PASSED, "") if held else (report.BAD_TEST, "no test, assert or check ran")


def _holds_objects(module: Any) -> bool:
    link = vars(module).get("__link__")
    return link is not None and link.full


def _missing(entry_point: str) -> Any:
    raise NameError(f"the solution defines no {entry_point!r}")
