"""Fitting what decides: load problems with known rates, measure a predictor on problems it did not see, fit it on all, keep it.

The digest of the training data names the weights: statements, the candidates that were read, rates, and the bytes of the file of
states or likelihoods. The same data give the same name, and weights can be traced to what made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prefect import task

from models.budget import gold_rates
from models.calibrate_config import DifficultyCalibration, TrainingData
from models.config import DifficultyConfig, NllDifficultyConfig, ProbeDifficultyConfig
from models.difficulty import FIRST_SOLUTIONS, Difficulty, Facts
from models.difficulty_registry import trainer_of
from models.difficulty_scores import base_predicted, cross_predicted, figures
from models.errors import InputError
from models.fingerprint import digest_json
from models.run_record import require_gates
from models.types import FloatArray, Labels, Problem, SolutionSet
from tasks.caching import ONCE
from tasks.difficulty_files import file_digest, load_likelihoods, load_states, load_weights, save_weights
from tasks.jsonl import read_lines
from tasks.load_problems import load_problems
from tasks.mlflow_store import connected, experiment_id
from tasks.resources import open_database
from tasks.settings import load_settings
from tasks.shard import Shard


class Training:
    """Problems with known rates. Plain class, as ``Shard`` is and for the same reason."""

    __slots__ = ("digest", "facts", "rates")

    def __init__(self, facts: Sequence[Facts], rates: FloatArray, digest: str) -> None:
        """``rates`` (P,): share of right solutions among the judged ones."""
        self.facts, self.rates, self.digest = facts, rates, digest


@task(name="load-training", **ONCE)
def load_training(config: DifficultyCalibration) -> Training:
    """Problems that have at least one judged solution. Raises InputError for bad files, an unknown run, or too few problems."""
    problems, solutions, labels = _source(config.data)
    rates = gold_rates(labels)
    known = {t: p for t, p in problems.items() if t in rates and t in solutions}
    if len(known) < 2:
        raise InputError(f"{len(known)} problems with statement, solutions and labels: expected at least 2")
    facts = facts_of(known, solutions, config.states, config.nll)
    read = {t: [known[t].digest, solutions[t].digests[:FIRST_SOLUTIONS], rates[t]] for t in known}
    files = [file_digest(path) for path in (config.states, config.nll) if path]
    return Training(facts, np.array([rates[t] for t in known]), digest_json([read, files]))


def _source(data: TrainingData) -> tuple[Mapping[str, Problem], Mapping[str, SolutionSet], Mapping[str, Labels]]:
    if data.run is not None:
        with open_database() as store:
            run = require_gates(store.load_run(data.run))
        return run.problems, run.solutions, run.labels
    if data.problems is None or data.solutions is None or data.labels is None:
        raise InputError("training data: expected a run, or problems, solutions and labels together")
    solutions = {line.task_id: line for line in read_lines(data.solutions, SolutionSet)}
    labels = {line.task_id: line for line in read_lines(data.labels, Labels)}
    for task_id in solutions.keys() & labels.keys():
        if labels[task_id].solution_digests != solutions[task_id].digests:
            raise InputError(f"{data.labels}: task_id {task_id!r}: expected the labels of {data.solutions}")
    return load_problems(data.problems), solutions, labels


def facts_of(
    problems: Mapping[str, Problem], solutions: Mapping[str, SolutionSet], states: Path | None, nll: Path | None
) -> list[Facts]:
    """What a predictor may see of each problem."""
    hidden: Mapping[str, npt.NDArray[np.float32]] = load_states(states) if states else {}
    likely = load_likelihoods(nll) if nll else {}
    return [
        Facts(
            task_id=t,
            prompt=problem.prompt,
            solutions=solutions[t].solutions[:FIRST_SOLUTIONS],
            nll=likely.get(t),
            states=hidden.get(t),
        )
        for t, problem in problems.items()
    ]


def predicted_rates(config: DifficultyConfig, whole: Shard) -> tuple[dict[str, float], str]:
    """(task id → λ̂, where it comes from) for a run that spends by difficulty. Raises InputError for files that do not fit."""
    trained, words = load_weights(config.path, config.type)
    states = config.states if isinstance(config, ProbeDifficultyConfig) else None
    nll = config.nll if isinstance(config, NllDifficultyConfig) else None
    rates = trained.predict(facts_of(whole.problems, whole.solutions, states, nll))
    source = (
        f"{config.type} predictor {config.path.name}, trained on {words['problems']} problems ({words['trained_on']}); no labels"
    )
    return dict(zip(whole.problems, rates.tolist(), strict=True)), source


@task(name="held-out-figures", **ONCE)
def held_out_figures(config: DifficultyCalibration, training: Training) -> dict[str, dict[str, float]]:
    """``held_out`` and ``base`` → figures (models.difficulty_scores)."""
    fit = trainer_of(config.type)
    predicted = cross_predicted(fit, training.facts, training.rates, config.folds, config.seed)
    base = base_predicted(training.rates, config.folds, config.seed)
    return {"held_out": figures(predicted, training.rates), "base": figures(base, training.rates)}


@task(name="fit-and-store", **ONCE)
def fit_and_store(config: DifficultyCalibration, training: Training) -> tuple[Path, dict[str, str]]:
    """(weights, what they say of themselves): fitted on all problems."""
    trained: Difficulty = trainer_of(config.type)(training.facts, training.rates, config.seed)
    name = f"{config.type}-{training.digest[:12]}.safetensors"
    path = (config.out or load_settings().root / "difficulty" / name).absolute()
    save_weights(path, trained, {"trained_on": training.digest, "problems": str(len(training.rates))})
    return path, dict(load_weights(path)[1])


@task(name="track-calibration", **ONCE)
def track_calibration(experiment: str, params: Mapping[str, Any], metrics: Mapping[str, float], weights: Path) -> str:
    """Parameters, metrics that are defined, and the weights, in one MLflow run; its id. Raises UnavailableError."""
    settings = load_settings()
    with connected(settings.mlflow_uri) as client:
        where = experiment_id(client, settings.mlflow_uri, experiment, settings.root / "mlflow-artifacts")
        run_id = str(client.create_run(where, run_name=weights.stem).info.run_id)
        for name, value in params.items():
            client.log_param(run_id, name, value)
        for name, value in metrics.items():
            if np.isfinite(value):
                client.log_metric(run_id, name, value)
        client.log_artifact(run_id, str(weights), "weights")
        client.set_terminated(run_id)
    return run_id
