"""The decision and its figures, from matrices and labels: in a run, and on files for ``coderm select`` and ``coderm budget``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task

from models.budget_replay import replay_budget
from models.confidence import Calibrator
from models.config import CELL_FREE, RunConfig
from models.errors import InputError
from models.lines import MatrixLine
from models.matrix import PassMatrix
from models.metrics import judged_tasks, per_problem, score_rankings
from models.metrics_bootstrap import paired_difference
from models.metrics_difficulty import quintiles
from models.metrics_probe import Probe
from models.reward.registry import rank_all, resolve
from models.scaling import scaling_curve
from models.statement_examples import generated_part
from models.types import Labels, Ranking, SolutionSet, TestSet, UnitTest, Verdict
from tasks.caching import ONCE
from tasks.jsonl import read_lines, write_lines
from tasks.shard import Shard
from tasks.weigh_confidence import check_calibrator, weigh

STEPS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of tests at which curves are drawn: those of the paper's Fig. 6."""


CURVED = ("majority", "codet", "b4")
"""Selectors whose curve every run draws: some of the others take minutes on 164 problems x 100 orders."""


class Scores:
    """Rankings, metrics and curves of one run. Plain class, as ``Shard`` is and for the same reason."""

    __slots__ = ("curves", "metrics", "rankings")

    def __init__(self, rankings: dict[str, dict[str, Ranking]], metrics: dict[str, float], curves: dict[str, Any]) -> None:
        """``rankings``: selector → task id → ranking; ``curves``: what ``coderm budget`` prints, and ``scaling``."""
        self.rankings, self.metrics, self.curves = rankings, metrics, curves


@task(name="select-and-score", **ONCE)
def select_and_score(config: RunConfig, whole: Shard, probes: Mapping[str, Probe]) -> Scores:
    """Rank with every selector of the run and measure; without labels there are rankings, verdict shares and no accuracy."""
    names = [s for s in config.ranked_by if s != "oracle" or whole.labels]
    sources = {t: s.solutions for t, s in whole.solutions.items()}
    tests = {t: s.tests for t, s in whole.tests.items()}
    generated = {t: generated_part(m, tests[t]) for t, m in whole.matrices.items()}
    rankings = rank_all(whole.matrices, resolve(names), whole.labels, sources, tests)
    reference = probes if config.quality.reference else None
    metrics = score_rankings(whole.matrices, whole.labels, rankings, config.k, reference, generated)
    if config.budget.only_winner:
        return Scores(rankings, metrics, {})  # margins, curves and groups of problems that were asked in part say nothing
    calibrator = _calibrator(config.confidence.calibrator, list(rankings))
    weighed = weigh(generated, whole.labels, rankings, sources, calibrator, config.confidence.abstain_below)
    groups = quintiles(rankings, whole.labels, judged_tasks(whole.matrices, whole.labels))
    more = {"confidence": weighed.curves, "quintiles": {name: points for name, points in groups.items() if points}}
    curves = _curves(config, generated, whole.labels) | {name: curve for name, curve in more.items() if curve}
    return Scores(weighed.rankings, metrics | weighed.metrics, curves)


def _calibrator(path: Path | None, names: list[str]) -> Calibrator | None:
    """Raises InputError for a file that is none, or that speaks for none of the selectors."""
    if path is None:
        return None
    found = Calibrator.load(path)
    check_calibrator(found, names, str(path))
    return found


def _curves(config: RunConfig, matrices: Mapping[str, PassMatrix], known: Mapping[str, Labels]) -> dict[str, Any]:
    """Accuracy against number of generated tests, on the problems executed whole and judged; empty where there is none."""
    full = {t: m for t, m in matrices.items() if m.verdicts.size and (m.verdicts > Verdict.NOT_RUN).all()}
    labels = {t: known[t] for t in full if t in known and set(known[t].correct) - {None}}
    full = {t: full[t] for t in labels}
    if not full:
        return {}
    steps = [m for m in STEPS if m <= config.n_tests]
    policies = ("equal", "greedy", "greedy-gold")
    curves = replay_budget(full, labels, policies=policies, budgets=steps, orders=100, seed=config.seed)
    drawn = [s for s in config.selectors if s in CURVED]
    return {**curves, "scaling": {s: _scaling(full, labels, s, steps, config) for s in drawn}}


def _scaling(
    matrices: Mapping[str, PassMatrix], labels: Mapping[str, Labels], selector: str, steps: Sequence[int], config: RunConfig
) -> list[dict[str, Any]]:
    """Accuracy at each number of tests with every candidate."""
    curve: dict[str, Any] = scaling_curve(matrices, labels, selector, ns=[config.n_solutions], ms=steps, seed=config.seed)
    return [{"tests": p["m"], **{name: p[name] for name in ("accuracy", "lo", "hi")}} for p in curve["points"]]


@dataclass(frozen=True)
class Selected:
    """``table``: selector → k → pass@k; ``fallbacks``: selector → problems where a random draw stood in.

    ``confidence``: selector → how many problems have one, their mean, how many are withheld, and with labels its measures.
    ``compared``: selector → lo and hi of its pass@1, and its paired difference to one of them with lo and hi; empty unless asked.
    """

    problems: int
    unjudged: int
    table: Mapping[str, Mapping[str, float]]
    fallbacks: Mapping[str, int]
    confidence: Mapping[str, Mapping[str, float]]
    compared: Mapping[str, Mapping[str, float]]


def select_files(
    matrix: Path,
    selector: str,
    labels: Path | None,
    k: Sequence[int],
    out: Path | None = None,
    solutions: Path | None = None,
    tests: Path | None = None,
    calibrator: Path | None = None,
    abstain_below: float = 0,
    compare: str | None = None,
) -> Selected:
    """Rank the problems of an M file; write R and measure where asked. Raises InputError, also for tests of another matrix.

    Confidence is given where ``calibrator`` speaks for the selector; with ``abstain_below`` and labels, by cross-fitting too.
    """
    chosen = resolve(name.strip() for name in [*([compare] if compare else []), *selector.split(",")])
    if labels is None and (compare or any(s.name == "oracle" for s in chosen)):
        raise InputError(f"{'--compare' if compare else '--selector oracle'} needs --labels: it looks at the ground truth")
    matrices = read_matrices(matrix)
    _check_decided(matrix, matrices, [s.name for s in chosen], k if labels else ())
    known = read_labels(labels, matrices) if labels else {}
    sources = {s.task_id: s.solutions for s in read_lines(solutions, SolutionSet)} if solutions else None
    rankings = rank_all(matrices, chosen, known, sources, read_tests(tests, matrices) if tests else None)
    fitted = _calibrator(calibrator, list(rankings))
    if abstain_below and fitted is None and not labels:
        raise InputError("--abstain-below needs --calibrator, or --labels to calibrate each problem by the others")
    confidence: dict[str, dict[str, float]] = {}
    if fitted or abstain_below:
        weighed = weigh(matrices, known, rankings, sources, fitted, abstain_below)
        rankings = weighed.rankings
        confidence = {name: _confidence(orders, name, weighed.metrics) for name, orders in rankings.items()}
    if out:
        write_lines(out, (r for by_task in rankings.values() for r in by_task.values()))
    if not labels:
        return Selected(len(matrices), 0, {s.name: {} for s in chosen}, {}, confidence, {})
    metrics = score_rankings(matrices, known, rankings, k)
    return Selected(
        problems=int(max((metrics[f"selector/{s.name}/problems"] for s in chosen), default=0)),
        unjudged=int(metrics["labels/null"]),
        table={s.name: {str(x): metrics[f"selector/{s.name}/pass_{x}"] for x in k} for s in chosen},
        fallbacks={s.name: int(metrics[f"selector/{s.name}/fallbacks"]) for s in chosen},
        confidence=confidence,
        compared=_compared(chosen[0].name, rankings, known, metrics) if compare else {},
    )


def _check_decided(path: Path, matrices: Mapping[str, PassMatrix], selectors: Sequence[str], k: Sequence[int]) -> None:
    """A matrix that stopped at the winner of one selector answers for that one's first group and for nothing else."""
    for decided in {m.only_winner for m in matrices.values() if m.only_winner}:
        others = [name for name in selectors if name not in (decided, *CELL_FREE)]
        if others or max(k, default=1) > 1:
            raise InputError(
                f"{path}: only the winner of {decided} was executed: expected --selector {decided} (or {', '.join(CELL_FREE)}) "
                f"and --k 1, found {', '.join(selectors)} and k up to {max(k, default=1)}"
            )


def _confidence(orders: Mapping[str, Ranking], name: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """{} for a selector of which nothing is said."""
    known = [r.confidence for r in orders.values() if r.confidence is not None]
    withheld = float(sum(r.abstained is True for r in orders.values()))
    if not known and not withheld:
        return {}
    measured = {k.split("/")[2]: v for k, v in metrics.items() if k.startswith(f"confidence/{name}/")}
    mean = sum(known) / len(known) if known else math.nan
    return {"known": float(len(known)), "mean": mean, "abstained": withheld, **measured}


def _compared(
    base: str, rankings: Mapping[str, Mapping[str, Ranking]], labels: Mapping[str, Labels], metrics: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Paired by problem: what stands between two selectors is not the width of their own intervals."""
    tasks = [task for task, line in labels.items() if any(right is not None for right in line.correct)]
    first = {name: per_problem(orders, labels, tasks, 1) for name, orders in rankings.items()}
    rows = {}
    for name, values in first.items():
        difference, lo, hi = paired_difference(values, first[base])
        own = {side: metrics[f"selector/{name}/pass_1_{side}"] for side in ("lo", "hi")}
        rows[name] = {**own, "difference": difference, "difference_lo": lo, "difference_hi": hi}
    return rows


def read_tests(path: Path, matrices: Mapping[str, PassMatrix]) -> dict[str, tuple[UnitTest, ...]]:
    """The tests of these matrices. Raises InputError where they are not the columns of the matrix."""
    lines = {line.task_id: line for line in read_lines(path, TestSet)}
    for task_id, stored in matrices.items():
        if (lines[task_id].digests if task_id in lines else ()) != stored.test_digests:
            raise InputError(f"{path}: task_id {task_id!r}: expected the tests that are the columns of the matrix")
    return {task_id: lines[task_id].tests if task_id in lines else () for task_id in matrices}


def budget_files(
    matrix: Path, labels: Path, selector: str, policies: Sequence[str], budgets: Sequence[int], orders: int, seed: int
) -> dict[str, Any]:
    """Replay stored matrices under test budgets: the JSON of ``coderm budget``. Raises InputError."""
    matrices = read_matrices(matrix)
    if any(m.only_winner for m in matrices.values()):
        raise InputError(f"{matrix}: only the winner was executed: expected a full matrix, a replay asks any test of any solution")
    known = read_labels(labels, matrices)
    return dict(replay_budget(matrices, known, policies=policies, budgets=budgets, orders=orders, seed=seed, selector=selector))


def read_matrices(path: Path) -> dict[str, PassMatrix]:
    """All matrices of an M file, durations and all. Raises InputError for an empty file."""
    matrices = {line.task_id: line.to_matrix() for line in read_lines(path, MatrixLine)}
    if not matrices:
        raise InputError(f"{path}: no matrix in it; expected one M line a problem")
    return matrices


def read_labels(path: Path, matrices: Mapping[str, PassMatrix]) -> dict[str, Labels]:
    """Labels of these matrices. Raises InputError where a matrix has none, or one of another solution set."""
    labels = {line.task_id: line for line in read_lines(path, Labels)}
    for task_id in matrices:
        if task_id not in labels:
            raise InputError(f"{path}: no line with task_id {task_id!r}; expected one for every problem of the matrix")
    return labels
