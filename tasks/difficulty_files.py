"""Files of the difficulty predictors: weights and hidden states as safetensors, likelihoods as JSON lines.

Weights W      tensors of the predictor; metadata ``format`` = coderm-difficulty/1, ``type``, ``trained_on`` (digest of the training
               data), ``problems``, ``package_version``, and the predictor's own settings (features version, layer, token)
States H       tensor ``states`` (problems, layers, tokens, width), or without the axis of tokens; float16, float32 or float64.
               Metadata ``format`` = coderm-hidden-states/1, ``task_ids`` (JSON list, one a problem); ``model``, ``layers`` and
               ``tokens`` (JSON lists of names) are kept for the books
Likelihoods N  a line a problem: {"task_id", "nll": [number | null, …]}, mean negative log-likelihood a token of each sample, nats

A file of another format is refused with its name; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.difficulty import FIRST_SOLUTIONS, Difficulty
from models.difficulty_registry import RESTORERS
from models.errors import InputError
from models.replaced_file import replacing
from models.types import Record
from tasks.jsonl import read_lines

WEIGHTS_FORMAT, STATES_FORMAT = "coderm-difficulty/1", "coderm-hidden-states/1"


class LikelihoodLine(Record):
    """N line."""

    task_id: str = Field(min_length=1)
    nll: tuple[float | None, ...]


def save_weights(path: Path, trained: Difficulty, facts: Mapping[str, str]) -> None:
    """Write W. ``facts``: what the books say besides (``trained_on``, ``problems``). Raises InputError where it cannot."""
    words = {
        "format": WEIGHTS_FORMAT,
        "type": trained.type,
        "package_version": version("coderm-flows"),
        **trained.settings(),
        **facts,
    }
    tensors = {name: np.require(tensor, requirements="C") for name, tensor in trained.tensors().items()}
    with replacing(path) as stream:
        stream.write(save(tensors, metadata=words))


def load_weights(path: Path, type_: str | None = None) -> tuple[Difficulty, Mapping[str, str]]:
    """(the predictor, its metadata). Raises InputError for another format or ``type_``."""
    tensors, words = _opened(path, WEIGHTS_FORMAT)
    if words.get("type") not in RESTORERS or type_ not in (None, words["type"]):
        raise InputError(f"{path}: weights of type {words.get('type')!r}: expected {type_ or ' or '.join(RESTORERS)}")
    try:
        return RESTORERS[words["type"]](tensors, words), words
    except (KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{path}: {error}") from None
        raise InputError(f"{path}: damaged weights: {error}") from None


def load_states(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """H → task id → (layers, tokens, width). Raises InputError for another format, shape, or a value that is not finite."""
    tensors, words = _opened(path, STATES_FORMAT)
    try:
        tasks = json.loads(words["task_ids"])
    except (KeyError, ValueError):
        raise InputError(f"{path}: metadata 'task_ids': expected a JSON list of task ids") from None
    states = tensors.get("states", np.zeros(()))
    if states.ndim == 3:
        states = states[:, :, None, :]
    if states.ndim != 4 or len(states) != len(tasks):
        raise InputError(f"{path}: states {states.shape} for {len(tasks)} task_ids: expected (problems, layers, tokens, width)")
    bad = np.flatnonzero(~np.isfinite(states).all(axis=(1, 2, 3)))
    if bad.size:
        raise InputError(f"{path}: states of {tasks[int(bad[0])]} hold a value that is not finite")
    return dict(zip(tasks, states.astype(np.float32), strict=True))


def save_states(stream: IO[bytes], states: Mapping[str, npt.NDArray[Any]], **words: str) -> None:
    """Write H from task id → (layers, tokens, width), all alike; ``words``: further metadata."""
    stacked = np.stack(list(states.values()))
    stream.write(save({"states": stacked}, metadata={"format": STATES_FORMAT, "task_ids": json.dumps(list(states)), **words}))


def load_likelihoods(path: Path) -> dict[str, float]:
    """N → task id → mean over its first known samples; a task whose samples are all null is absent."""
    lines = {line.task_id: [s for s in line.nll[:FIRST_SOLUTIONS] if s is not None] for line in read_lines(path, LikelihoodLine)}
    return {task: sum(known) / len(known) for task, known in lines.items() if known}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises InputError when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _opened(path: Path, format_: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    try:
        with safe_open(path, framework="numpy") as file:
            words = dict(file.metadata() or {})
            if words.get("format") != format_:
                raise InputError(f"{path}: format {words.get('format')!r}: expected {format_}")
            return {name: file.get_tensor(name) for name in file.keys()}, words  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, TypeError) as error:
        raise InputError(f"{path}: no safetensors file that numpy can read: {error}") from None
