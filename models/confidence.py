"""How sure the product is of a selection: a calibrated probability that the chosen solution is right.

Two steps, both fitted on labelled problems. A raw score: ``posterior`` is the tempered B4 posterior of the selection alone, and
``features`` a logistic regression on it and on the margins of models.confidence_evidence, which serves any selector. Then isotonic
regression from raw score to accuracy, linear between its steps (models.confidence_regression). The isotonic step sees raw scores of
problems that the regression had not seen.

n problems cannot show a chance below 1/(n + 2): confidences are kept that far from 0 and 1 (Laplace's rule). Where a selector ranks
nothing there is no confidence (NaN): nothing was selected, a random draw stands in. A problem never calibrates itself:
``cross_fitted`` gives each problem a confidence from the others.

    calibrator = Calibrator.fit(matrices, labels, "b4")
    calibrator.save(path);  Calibrator.load(path).confidence(matrix)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator
from scipy.special import expit

from models.confidence_evidence import FEATURES, Evidence, evidence_of
from models.confidence_regression import folds_of, held_out, isotonic_steps, logistic
from models.errors import InputError
from models.fingerprint import digest_json
from models.matrix import PassMatrix
from models.metrics_ranking import best_of_n
from models.replaced_file import replacing
from models.reward.registry import resolve
from models.reward.selector import Groups, MatrixView, Selector, view_of
from models.types import FloatArray, Labels, Record

Method = Literal["posterior", "features"]
Sources = Mapping[str, tuple[str, ...]]
METHOD: Method = "features"
MIN_PROBLEMS = 10
"""Fewer labelled problems than this calibrate nothing."""
TEMPERATURES = tuple(float(t) for t in np.geomspace(1, 1e4, 25))


class Calibrator(Record):
    """A fitted confidence: small, versioned, the same on every machine. ``steps``: (raw score, accuracy) of the isotonic part."""

    version: Literal[1] = 1
    selector: str
    method: Method
    temperature: float = Field(gt=0)
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    """Intercept first, then FEATURES, standardised by ``centre`` and ``scale``; for ``posterior`` they are not used."""
    steps: tuple[tuple[float, float], ...] = Field(min_length=1)
    problems: int = Field(ge=1)
    data_digest: str
    """Of the matrices and labels that it was fitted on."""

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if {len(self.centre), len(self.scale), len(self.weights) - 1} != {len(FEATURES)}:
            raise ValueError(f"centre, scale and weights belong to {len(FEATURES)} features and an intercept")
        return self

    @classmethod
    def fit(
        cls,
        matrices: Mapping[str, PassMatrix],
        labels: Mapping[str, Labels],
        selector: str = "auto",
        *,
        method: Method = METHOD,
        sources: Sources | None = None,
    ) -> Calibrator:
        """Fit on every problem with a judged solution in which the selector ranks something.

        Raises InputError for an unknown selector, the oracle, labels of another solution set, or too few problems.
        """
        material = Material(matrices, labels, selector, sources)
        return material.fitted(list(material.evidence), method)

    def confidence(self, problem: MatrixView | PassMatrix, order: Groups | None = None) -> float:
        """Probability that the selected solution is right; NaN where nothing is ranked. ``order``: the ranking, if it is known."""
        view = problem if isinstance(problem, MatrixView) else view_of(problem)
        ranked = resolve([self.selector])[0].rank(view) if order is None else order
        found = evidence_of(view, ranked[0]) if ranked else None
        return math.nan if found is None else float(self.calibrated(np.array([self.raw(found)]))[0])

    def raw(self, found: Evidence) -> float:
        """Score before the isotonic step, between 0 and 1."""
        if self.method == "posterior":
            return found.posterior(self.temperature)
        standard = (found.features(self.temperature) - self.centre) / self.scale
        return float(expit(self.weights[0] + standard @ np.array(self.weights[1:])))

    def calibrated(self, raw: FloatArray) -> FloatArray:
        """Confidence of raw scores."""
        at, accuracy = np.array(self.steps).T
        least = 1 / (self.problems + 2)
        return np.asarray(np.clip(np.interp(raw, at, accuracy), least, 1 - least))

    def save(self, path: Path) -> None:
        """Write as JSON. Raises InputError where the place cannot be written."""
        with replacing(path) as stream:
            stream.write(f"{self.model_dump_json(indent=2)}\n".encode())

    @classmethod
    def load(cls, path: Path) -> Calibrator:
        """Read what ``save`` wrote. Raises InputError that names file and field."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot read the calibrator: {getattr(error, 'strerror', None) or error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(f"{path}: field '{where}': {first['msg']}; expected a calibrator of `coderm confidence`") from None


def cross_fitted(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    selector: str = "auto",
    *,
    method: Method = METHOD,
    sources: Sources | None = None,
) -> dict[str, float]:
    """Task id → confidence by a calibrator that has not seen the task's labels; NaN where nothing is ranked.

    Folds follow the digests of the task ids, so a problem keeps its fold. Problems without labels get the one of all. Raises
    InputError as ``Calibrator.fit`` does.
    """
    material = Material(matrices, labels, selector, sources)
    tasks = list(material.evidence)
    whole = material.fitted(tasks, method)
    found = dict.fromkeys(matrices, math.nan)
    found |= {task: float(whole.calibrated(np.array([whole.raw(e)]))[0]) for task, e in material.unlabelled.items()}
    for fold in folds_of(tasks):
        calibrator = material.fitted([task for task in tasks if task not in fold], method)
        found |= {task: float(calibrator.calibrated(np.array([calibrator.raw(material.evidence[task])]))[0]) for task in fold}
    return found


class Material:
    """Evidence and truth of the problems that can calibrate: ranked by the selector, with a judged solution."""

    def __init__(
        self, matrices: Mapping[str, PassMatrix], labels: Mapping[str, Labels], selector: str, sources: Sources | None
    ) -> None:
        """Raises InputError as ``Calibrator.fit`` does."""
        (chosen,) = resolve([selector])
        if chosen.name == "oracle":
            raise InputError("the oracle looks at the labels: its choice has no confidence")
        self.selector = chosen.name
        self.evidence: dict[str, Evidence] = {}
        self.unlabelled: dict[str, Evidence] = {}
        self.truth: dict[str, float] = {}
        self._facts: dict[str, list[object]] = {}
        for task, matrix in matrices.items():
            self._add(matrix, labels.get(task), chosen, (sources or {}).get(task))

    def _add(self, matrix: PassMatrix, labels: Labels | None, selector: Selector, sources: tuple[str, ...] | None) -> None:
        view = view_of(matrix, sources=sources)
        order = selector.rank(view)
        found = evidence_of(view, order[0]) if order else None
        if found is None:
            return
        if labels is None or not (set(labels.correct) - {None}):
            self.unlabelled[matrix.task_id] = found
            return
        view_of(matrix, labels)  # refuses labels of another solution set
        truth = [labels.correct[i] for i in order[0] if labels.correct[i] is not None]
        self.evidence[matrix.task_id] = found
        self.truth[matrix.task_id] = best_of_n(order[:1], labels.correct) if truth else best_of_n(order, labels.correct)
        passes = hashlib.sha256(np.packbits(view.passes).tobytes()).hexdigest()
        self._facts[matrix.task_id] = [passes, list(matrix.solution_digests), list(view.test_digests), list(labels.correct)]

    def fitted(self, tasks: Sequence[str], method: Method) -> Calibrator:
        """A calibrator of these problems. Raises InputError for fewer than MIN_PROBLEMS."""
        if len(tasks) < MIN_PROBLEMS:
            raise InputError(
                f"{len(tasks)} problems that {self.selector} ranked have a judged solution: a calibration needs {MIN_PROBLEMS}"
            )
        truth = self._truth(tasks)
        temperature = self._temperature(tasks, truth)
        features = np.stack([self.evidence[task].features(temperature) for task in tasks])
        centre, scale = features.mean(axis=0), np.where(features.std(axis=0) > 1e-9, features.std(axis=0), 1.0)
        standard = (features - centre) / scale
        weights = logistic(standard, truth)
        raw = (
            np.array([self.evidence[task].posterior(temperature) for task in tasks])
            if method == "posterior"
            else held_out(standard, truth, [[tasks.index(t) for t in fold] for fold in folds_of(tasks)])
        )
        return Calibrator(
            selector=self.selector,
            method=method,
            temperature=temperature,
            centre=tuple(centre.tolist()),
            scale=tuple(scale.tolist()),
            weights=tuple(weights.tolist()),
            steps=isotonic_steps(raw, truth),
            problems=len(tasks),
            data_digest=digest_json([[task, self._facts[task]] for task in sorted(tasks)]),
        )

    def _truth(self, tasks: Sequence[str]) -> FloatArray:
        return np.array([self.truth[task] for task in tasks], dtype=np.float64)

    def _temperature(self, tasks: Sequence[str], truth: FloatArray) -> float:
        """The temperature whose posterior has the least Brier score on these problems."""

        def loss(temperature: float) -> float:
            p = np.array([self.evidence[task].posterior(temperature) for task in tasks])
            return float(np.mean(truth * (1 - p) ** 2 + (1 - truth) * p**2))

        return min(TEMPERATURES, key=loss)
