"""Run records to save and read back: one built by hand with every awkward thing in it, and a Hypothesis strategy for the rest."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from models.matrix import ExecutionContext, PassMatrix
from models.outputs import Outputs
from models.run_record import Allocation, GateResult, GeneratorIdentity, RunRecord, SampleCounts
from models.types import Labels, Limits, Problem, Ranking, SolutionSet, TestSet, Verdict

CONTEXT = ExecutionContext(sandbox="docker", image="sha256:beef", version="1", timeout_s=0.1, memory_mib=256)
SOLUTIONS = ("def f(x):\n    return x\n", "\ud800\x00 not python \ud83d\ude00", "def f(x):\n    return x\n", "x = 1\n" * 400)
TESTS = ("assert f(1) == 1", {"source": "assert f(2) == 2", "origin": "statement"}, "assert f(1) == 1")
PAIRS = ({"stdin": "1\n", "stdout": "2\n"}, {"stdin": "", "stdout": "\ud800", "origin": "statement"})


def problem(task: str, style: str = "function") -> Problem:
    """A problem whose inputs hold what JSON does not like."""
    if style == "stdin":
        truth: dict[str, Any] = {"kind": "stdin", "cases": [{"stdin": "1", "stdout": "2"}]}
        return Problem.model_validate(
            {"task_id": task, "prompt": "read", "entry_point": None, "style": style, "ground_truth": truth}
        )
    truth = {"kind": "inputs", "inputs": [[1, [2.5, None], {"b": 1, "a": math.inf}], ["é"]], "atol": 1e-6}
    head = {"task_id": task, "prompt": "def f(x): ...\n", "entry_point": "f", "style": style, "preamble": "import math\n"}
    return Problem.model_validate({**head, "ground_truth": truth, "limits": {"timeout_s": 2, "memory_mib": 64}})


def matrix(task: str, solutions: SolutionSet, tests: TestSet, seed: int = 0, context: ExecutionContext = CONTEXT) -> PassMatrix:
    """Random verdicts of every kind; NaN durations; a few flags and outputs, not in order of their place."""
    draw = np.random.default_rng(seed)
    shape = (len(solutions.solutions), len(tests.tests))
    durations = draw.gamma(2, 10, shape).astype(np.float32)
    durations[draw.random(shape) < 0.2] = np.nan
    places = [(i, j) for i in range(shape[0]) for j in range(shape[1])][::-2]
    table = Outputs.of({place: "de"[at % 2] * 16 for at, place in enumerate(places[:3])}, shape)
    return PassMatrix(
        task_id=task,
        verdicts=draw.integers(0, len(Verdict), shape).astype(np.uint8),
        duration_ms=durations,
        context=context,
        solution_digests=solutions.digests,
        test_digests=tests.digests,
        flags=dict.fromkeys(places, ("near_limit", "wrote_stderr")),
        outputs=Outputs(table.codes, table.digests, {"d" * 16: "[1, '\\ud800']"}),
    )


def full_record(run_id: str = "run-0123", created_at: str = "2026-01-02T03:04:05+02:00", seed: int = 0) -> RunRecord:
    """Three tasks: a function problem with everything, a stdin problem with limits, and one of which only the problem is there."""
    solutions = {t: SolutionSet(task_id=t, solutions=SOLUTIONS) for t in ("z/1", "a/2")}
    tests = {
        "z/1": TestSet.model_validate({"task_id": "z/1", "tests": TESTS}),
        "a/2": TestSet.model_validate({"task_id": "a/2", "tests": PAIRS, "limits": {"timeout_s": 3, "memory_mib": 128}}),
    }
    on_process = CONTEXT.model_copy(update={"sandbox": "process", "image": None, "timeout_s": 3.0})
    return RunRecord(
        run_id=run_id,
        benchmark="demo",
        config={"z": 1, "a": {"y": [1.0, 1e20, -0.0], "b": None}, "text": "é\u2028"},
        created_at=created_at,
        problems={"z/1": problem("z/1"), "a/2": problem("a/2", "stdin"), "m/3": problem("m/3")},
        solutions=solutions,
        tests=tests,
        matrices={
            "z/1": matrix("z/1", solutions["z/1"], tests["z/1"], seed),
            "a/2": matrix("a/2", solutions["a/2"], tests["a/2"], seed + 1, on_process),
        },
        labels={"a/2": Labels(task_id="a/2", correct=(True, False, None, True), solution_digests=solutions["a/2"].digests)},
        rankings={
            "majority": {t: Ranking(task_id=t, selector="majority", order=((3, 0), (1,))) for t in ("a/2", "z/1")},
            "codet": {"z/1": Ranking(task_id="z/1", selector="codet", order=(), abstained=True)},
            "b4": {"z/1": Ranking(task_id="z/1", selector="b4", order=((1,),), confidence=1 / 3, abstained=False)},
        },
        allocation=Allocation(policy="greedy", tests={"z/1": 3, "a/2": 0}, rates={"z/1": math.nan, "a/2": 0.5}, source="recorded"),
        metrics={"selector/majority/pass_1": 0.25, "cells/passed": 3.0, "selector/codet/pass_1": math.nan, "best": math.inf},
        generators={
            "test": GeneratorIdentity(
                backend="replay", model="coderm-8b", prompt_version="1", sampling={"top_p": 0.95, "n": 100, "a": None}
            ),
            "solution": GeneratorIdentity(backend="replay", model="codegen", revision="abc", prompt_version="2"),
        },
        prompt_digests={"test": {"z/1": "1" * 32}, "solution": {"z/1": "2" * 32, "a/2": "3" * 32}},
        samples={
            "test": {"z/1": SampleCounts(task_id="z/1", drawn=5, kept=3, discarded={"duplicate": 1, "truncated": 1}, paid_out=7)},
            "solution": {t: SampleCounts(task_id=t, drawn=4, kept=4, reused=2, mean_logprob=-1 / 3) for t in ("a/2", "z/1")},
        },
        gates=(
            GateResult("problems", True, 4),
            GateResult("matrix", False, 2, ({"expectation": "e", "unexpected": 1, "x": [math.nan]},)),
        ),
        budget_curves={"equal": [{"mean_tests": 1, "accuracy": 0.5, "lo": math.nan}], "all": {"selector": "majority"}},
        provenance={"git_sha": "0" * 40, "mlflow_run_id": "m"},
    )


def empty_record(run_id: str = "empty") -> RunRecord:
    """A run in which nothing happened."""
    nothing: dict[str, Any] = {}
    return RunRecord(
        run_id=run_id,
        benchmark="none",
        created_at="2026-01-01T00:00:00",
        allocation=None,
        **dict.fromkeys(("config", "problems", "solutions", "tests", "matrices", "labels", "rankings", "metrics"), nothing),
        generators=nothing,
        prompt_digests=nothing,
    )


def plain(value: Any) -> Any:  # noqa: PLR0911 - one kind after the other
    """A record as nested lists that show kinds, key order and exact bits, so that two can be compared with ``==``."""
    if isinstance(value, (RunRecord, PassMatrix, Allocation, GateResult)):
        return [(f.name, plain(getattr(value, f.name))) for f in fields(value)]
    if isinstance(value, Outputs):
        return [plain(value.codes), plain(value.digests), plain(value.texts)]
    if isinstance(value, np.ndarray):
        return [value.shape, value.dtype.str, value.tobytes()]
    if hasattr(value, "model_dump"):
        return [type(value).__name__, plain(value.model_dump())]
    if isinstance(value, dict):
        return ["dict", *((key, plain(item)) for key, item in value.items())]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return repr(value)


names = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, categories=["L", "N", "P"]), min_size=1, max_size=8)
sources = st.text(st.characters(categories=["L", "N", "Zs", "Cc", "Cs"]), max_size=30)
finite = st.floats(allow_nan=False, width=64)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | finite | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(names, json_values, max_size=4)


@st.composite
def unit_tests(draw: st.DrawFn) -> dict[str, Any]:
    """One column, as a line has it."""
    origin = {"origin": draw(st.sampled_from(["generated", "statement"]))}
    return origin | draw(st.fixed_dictionaries({"source": sources}) | st.fixed_dictionaries({"stdin": sources, "stdout": sources}))


@st.composite
def run_records(draw: st.DrawFn) -> RunRecord:
    """Records with ragged parts: a task may lack its solutions, tests, matrix or label; a matrix may be over other columns."""
    tasks = draw(st.lists(names, unique=True, max_size=3))
    some = st.lists(st.sampled_from(tasks), unique=True) if tasks else st.just([])
    solutions = {t: SolutionSet(task_id=t, solutions=tuple(draw(st.lists(sources, max_size=3)))) for t in draw(some)}
    limits = st.none() | st.builds(Limits, timeout_s=st.floats(0.01, 10), memory_mib=st.integers(16, 999))
    tests = {
        t: TestSet.model_validate({"task_id": t, "tests": draw(st.lists(unit_tests(), max_size=3)), "limits": draw(limits)})
        for t in draw(some)
    }
    matrices = {
        t: matrix(t, solutions[t], tests[t], draw(st.integers(0, 99))) for t in solutions if t in tests and draw(st.booleans())
    }
    if matrices and draw(st.booleans()):
        first = next(iter(matrices))
        n_tests = matrices[first].verdicts.shape[1]
        matrices[first] = replace(matrices[first], test_digests=("e" * 32,) * n_tests)
    labels = {
        t: Labels(
            task_id=t, correct=tuple(draw(st.sampled_from([True, False, None])) for _ in s.solutions), solution_digests=s.digests
        )
        for t, s in solutions.items()
        if draw(st.booleans())
    }
    orders = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=3), max_size=3)
    sure = st.fixed_dictionaries({"confidence": st.none() | st.floats(0, 1), "abstained": st.none() | st.booleans()})
    rankings = {
        name: {t: Ranking.model_validate({"task_id": t, "selector": name, "order": draw(orders), **draw(sure)}) for t in draw(some)}
        for name in draw(st.lists(names, unique=True, max_size=2))
    }
    return replace(
        full_record(),
        config=draw(documents),
        problems={t: problem(t) for t in draw(some)},
        solutions=solutions,
        tests=tests,
        matrices=matrices,
        labels=labels,
        rankings=rankings,
        allocation=None,
        # SQLite keeps a whole number as an integer, which has no negative zero; adding 0.0 makes it the positive one
        metrics=draw(st.dictionaries(names, st.floats().map(lambda value: value + 0.0), max_size=4)),
        budget_curves=draw(documents),
    )
