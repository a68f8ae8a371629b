"""Calibrated confidence: against slow versions, never by a problem's own labels, the same after a save, NaN where undefined."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.confidence import MIN_PROBLEMS, Calibrator, Method, cross_fitted
from models.confidence_evidence import evidence_of
from models.confidence_regression import folds_of, isotonic_steps, logistic
from models.config import RunConfig
from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.metrics_confidence import confidence_metrics, reliability, risk_coverage
from models.reward.b4 import b4_score
from models.reward.classes import classes_of
from models.reward.registry import rank_all, resolve
from models.reward.selector import view_of
from models.types import Labels, Ranking, Verdict
from tasks.weigh_confidence import weigh

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
FIGURES = ("brier", "ece", "auroc", "coverage", "selective_pass_1")


def problem(seed: int, n: int = 8, m: int = 10) -> tuple[PassMatrix, Labels]:
    """A problem whose tests tell right from wrong better the higher its own quality is."""
    rng = np.random.default_rng(seed)
    right = rng.random(n) < rng.beta(1, 1)
    quality = rng.random()
    passes = rng.random((n, m)) < np.where(right, 0.5 + quality / 2, 0.5 - quality / 2)[:, None]
    codes = np.where(passes, Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"s{i}" for i in range(n))
    matrix = PassMatrix(
        f"p{seed}", codes, np.zeros(codes.shape, np.float32), CONTEXT, digests, tuple(f"{seed}-{j}" for j in range(m))
    )
    return matrix, Labels(task_id=f"p{seed}", correct=tuple(map(bool, right)), solution_digests=digests)


def problems(count: int) -> tuple[dict[str, PassMatrix], dict[str, Labels]]:
    pairs = [problem(seed) for seed in range(count)]
    return {m.task_id: m for m, _ in pairs}, {line.task_id: line for _, line in pairs}


MATRICES, LABELS = problems(60)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=12))
@settings(max_examples=60)
def test_isotonic_regression_is_the_max_min_of_means(points: list[tuple[int, int]]) -> None:
    raw, truth = np.array([float(x) for x, _ in points]), np.array([float(y) for _, y in points])
    steps = dict(isotonic_steps(raw, truth))
    places = sorted(set(raw.tolist()))
    for index, place in enumerate(places):
        expected = max(
            min(float(np.mean([y for x, y in zip(raw, truth, strict=True) if low <= x <= high])) for high in places[index:])
            for low in places[: index + 1]
        )
        assert np.interp(place, list(steps), list(steps.values())) == pytest.approx(expected)


def test_logistic_regression_stands_at_a_minimum() -> None:
    rng = np.random.default_rng(0)
    features, truth = rng.normal(size=(50, 3)), rng.random(50)
    found = logistic(features, truth)

    def loss(weights: np.ndarray) -> float:
        p = [1 / (1 + math.exp(-(weights[0] + float(row @ weights[1:])))) for row in features]
        fit = -sum(t * math.log(q) + (1 - t) * math.log(1 - q) for t, q in zip(truth, p, strict=True))
        return fit + sum(w * w for w in weights[1:]) / 2

    for step in np.eye(4) * 1e-3:
        assert loss(found) <= min(loss(found + step), loss(found - step))


@given(st.integers(0, 2**20))
@settings(max_examples=40)
def test_evidence_by_counting(seed: int) -> None:
    matrix, _ = problem(seed, n=5, m=4)
    view = view_of(matrix)
    selection = resolve(["majority"])[0].rank(view)[0]
    found = evidence_of(view, selection)
    assert found is not None
    rows = [tuple(row) for row in view.passes.tolist()]
    chosen = {rows[i] for i in selection}
    rivals = [sum(row) for row in rows if row not in chosen]
    votes = sum(sum(rows[i]) for i in selection) / len(selection)
    size = sum(rows.count(rows[i]) for i in selection) / len(selection) / 5
    passers = [sum(row[j] for row in rows) for j in range(4)]
    agreement = sum(
        sum(p for p, passed in zip(passers, rows[i], strict=True) if passed) / max(1, sum(rows[i])) / 5 for i in selection
    ) / len(selection)
    lead = (votes - (max(rivals) if rivals else 0)) / 4
    assert found.figures == pytest.approx([votes / 4, size, lead, agreement, math.log(5)])
    classes = classes_of(view.passes)
    scores = b4_score(classes.passes, classes.rows, classes.cols)
    weights = np.exp((scores - scores.max()) / 7.0)
    places = [classes.class_of[i] for i in selection]
    assert found.posterior(7.0) == pytest.approx(sum(weights[k] for k in places) / len(places) / weights.sum())


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.05, 0.3, 0.31, 0.5, 0.95, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), max_size=9))
@settings(max_examples=60, deadline=None)
def test_measures_by_counting(points: list[tuple[float, float]]) -> None:
    p, y = np.array([a for a, _ in points]), np.array([b for _, b in points])
    found = confidence_metrics(p, y, 0.3)
    if not points:
        assert all(math.isnan(value) for value in found.values())
        assert (reliability(p, y), risk_coverage(p, y)) == ([], [])
        return
    assert found["brier"] == pytest.approx(sum(b * (1 - a) ** 2 + (1 - b) * a * a for a, b in points) / len(points))
    bins: dict[int, list[tuple[float, float]]] = {}
    for a, b in points:
        bins.setdefault(min(9, int(a * 10)), []).append((a, b))
    assert found["ece"] == pytest.approx(sum(abs(sum(a - b for a, b in part)) for part in bins.values()) / len(points))
    wins = pairs = 0.0
    for i, (a, right) in enumerate(points):
        for k, (c, other) in enumerate(points):
            weight = right * (1 - other) if i != k else 0
            wins, pairs = wins + weight * (1 if a > c else 0.5 if a == c else 0), pairs + weight
    assert found["auroc"] == pytest.approx(wins / pairs if pairs else math.nan, nan_ok=True)
    kept = [b for a, b in points if a >= 0.3]
    assert found["coverage"] == pytest.approx(len(kept) / len(points))
    assert found["selective_pass_1"] == pytest.approx(sum(kept) / len(kept) if kept else math.nan, nan_ok=True)
    assert sum(point["problems"] for point in reliability(p, y)) == len(points)
    assert [c["coverage"] for c in risk_coverage(p, y)] == sorted([c["coverage"] for c in risk_coverage(p, y)], reverse=True)


@pytest.mark.parametrize("method", ["posterior", "features"])
def test_a_problem_never_calibrates_itself(method: Method) -> None:
    before = cross_fitted(MATRICES, LABELS, "majority", method=method)
    for task in ("p3", "p17"):
        flipped = LABELS[task].model_copy(update={"correct": tuple(not c for c in LABELS[task].correct)})
        after = cross_fitted(MATRICES, {**LABELS, task: flipped}, "majority", method=method)
        assert after[task] == before[task]
        assert after != before, "the others did learn from it"


def test_folds_are_a_partition_that_stays_when_problems_join() -> None:
    folds = folds_of(list(MATRICES))
    assert sorted(t for fold in folds for t in fold) == sorted(MATRICES)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    assert folds_of(list(reversed(MATRICES))) == folds


@pytest.mark.parametrize("selector", ["b4", "majority", "codet", "mpsc"])
def test_confidence_tells_right_from_wrong(selector: str) -> None:
    rankings = rank_all(MATRICES, resolve([selector]))
    weighed = weigh(MATRICES, LABELS, rankings, None, None, 0.5)
    found = weighed.metrics
    assert found[f"confidence/{selector}/auroc"] > 0.6
    assert found[f"confidence/{selector}/problems"] == 60
    for figure in FIGURES:
        lo, value, hi = (found[f"confidence/{selector}/{figure}{end}"] for end in ("_lo", "", "_hi"))
        assert 0 <= lo <= value + 1e-9, figure
        assert value <= hi + (0.1 if figure == "ece" else 1e-9), "the bootstrap of an absolute value is not centred"
    for ranking in weighed.rankings[selector].values():
        assert ranking.confidence is not None
        assert ranking.abstained == (ranking.confidence < 0.5)


def test_a_calibrator_is_the_same_after_a_save_and_knows_its_data(tmp_path: Path) -> None:
    fitted = Calibrator.fit(MATRICES, LABELS, "b4")
    fitted.save(tmp_path / "c.json")
    loaded = Calibrator.load(tmp_path / "c.json")
    assert loaded == fitted
    matrix, _ = problem(1000)
    assert loaded.confidence(matrix) == fitted.confidence(view_of(matrix))
    least = 1 / (fitted.problems + 2)
    assert all(least <= fitted.confidence(m) <= 1 - least for m in MATRICES.values())
    other = {**LABELS, "p0": LABELS["p0"].model_copy(update={"correct": (None, *LABELS["p0"].correct[1:])})}
    assert Calibrator.fit(MATRICES, other, "b4").data_digest != fitted.data_digest


@given(st.integers(0, 100), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_confidence_does_not_hang_on_the_order(seed: int, random: np.random.Generator) -> None:
    matrix, _ = problem(seed)
    rows, columns = list(range(8)), list(range(10))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = PassMatrix(
        "x", matrix.verdicts[np.ix_(rows, columns)], matrix.duration_ms, CONTEXT, matrix.solution_digests, matrix.test_digests
    )
    assert CALIBRATOR.confidence(shuffled) == pytest.approx(CALIBRATOR.confidence(matrix))


CALIBRATOR = Calibrator.fit(MATRICES, LABELS, "b4")


def test_nothing_ranked_has_no_confidence_and_is_withheld() -> None:
    matrix, labels = problem(7, m=0)
    assert math.isnan(CALIBRATOR.confidence(matrix))
    (ranking,) = (
        weigh({"p7": matrix}, {"p7": labels}, rank_all({"p7": matrix}, resolve(["b4"])), None, CALIBRATOR, 0.1)
        .rankings["b4"]
        .values()
    )
    assert (ranking.confidence, ranking.abstained) == (None, True)
    assert json.loads(Ranking(task_id="t", selector="b4", order=()).model_dump_json()) == {
        "task_id": "t",
        "selector": "b4",
        "order": [],
    }


def test_what_cannot_be_known_is_withheld() -> None:
    few = {t: MATRICES[t] for t in list(MATRICES)[:MIN_PROBLEMS]}
    names = ["b4", "majority", "random"]
    weighed = weigh(few, LABELS, rank_all(few, resolve(names)), None, None, 0.5)
    said = {name: {(r.confidence, r.abstained) for r in found.values()} for name, found in weighed.rankings.items()}
    assert said == {"b4": {(None, True)}, "majority": {(None, True)}, "random": {(None, None)}}
    assert (weighed.metrics, weighed.curves) == ({}, {})
    weighed = weigh(few, {}, rank_all(few, resolve(names)), None, CALIBRATOR, 0.5)
    assert {r.abstained for r in weighed.rankings["majority"].values()} == {None}, "a calibrator speaks for its own selector"
    assert None not in {r.confidence for r in weighed.rankings["b4"].values()}
    with pytest.raises(ValueError, match=r"abstain_below needs confidence\.calibrator, or label = true"):
        RunConfig.model_validate({**RUN, "label": False, "confidence": {"abstain_below": 0.5}})
    assert RunConfig.model_validate({**RUN, "confidence": {"abstain_below": 0.5}}).confidence.calibrator is None


RUN = {
    "benchmark": {"name": "b", "problems": "p"},
    "policy": {"type": "replay", "path": "s"},
    "tests": {"type": "replay", "path": "t"},
}


def test_few_problems_the_oracle_and_foreign_labels_are_refused() -> None:
    few = {t: MATRICES[t] for t in list(MATRICES)[: MIN_PROBLEMS - 1]}
    with pytest.raises(InputError, match="a calibration needs 10"):
        Calibrator.fit(few, LABELS, "b4")
    with pytest.raises(InputError, match="oracle looks at the labels"):
        Calibrator.fit(MATRICES, LABELS, "oracle")
    foreign = {**LABELS, "p0": LABELS["p0"].model_copy(update={"solution_digests": ("x",) * 8})}
    with pytest.raises(InputError, match="p0: labels belong to another solution set"):
        Calibrator.fit(MATRICES, foreign, "b4")


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "the file"), ('{"version": 2}', "field 'version'"), (None, "cannot read"), ("\ud800", "cannot read")],
)
def test_a_broken_calibrator_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=said) as raised:
        Calibrator.load(path)
    assert "c.json" in str(raised.value)
    assert "\n" not in str(raised.value)
