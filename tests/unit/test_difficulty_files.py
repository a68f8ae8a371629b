"""Weights, states and likelihoods as files: what is written is read back, and what does not fit is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.difficulty import Difficulty, Facts
from models.difficulty_logistic import Logistic
from models.difficulty_nll import NllDifficulty
from models.difficulty_probe import ProbeDifficulty
from models.difficulty_text import NAMES, TextDifficulty
from models.errors import InputError
from tasks.difficulty_files import load_likelihoods, load_states, load_weights, save_states, save_weights

RNG = np.random.default_rng(0)
PROBE_WEIGHTS = tuple(np.asarray(RNG.normal(size=shape), np.float32) for shape in ((6, 4), (4,), (4,), ()))
FACTS = [Facts("a", "Add.", ("def f(x):\n    return x\n",), 0.4, RNG.normal(size=(2, 1, 6)).astype(np.float32))]
TRAINED: list[Difficulty] = [
    ProbeDifficulty(PROBE_WEIGHTS, 1, 0),
    NllDifficulty(0.25),
    TextDifficulty(Logistic(RNG.normal(size=len(NAMES)), -0.5)),
]


@pytest.mark.parametrize("trained", TRAINED, ids=lambda t: t.type)
def test_weights_are_read_back_with_what_they_say_of_themselves(trained: Difficulty, tmp_path: Path) -> None:
    path = tmp_path / "new" / "w.safetensors"
    save_weights(path, trained, {"trained_on": "feed", "problems": "7"})
    loaded, words = load_weights(path, trained.type)
    assert loaded.predict(FACTS).tolist() == trained.predict(FACTS).tolist()
    assert (words["format"], words["trained_on"], words["problems"]) == ("coderm-difficulty/1", "feed", "7")
    assert trained.settings().items() <= words.items()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, TRAINED[1], {})
    with pytest.raises(InputError, match="weights of type 'nll': expected probe"):
        load_weights(path, "probe")
    with pytest.raises(InputError, match="format 'coderm-difficulty/1': expected coderm-hidden-states/1"):
        load_states(path)
    save_file({"tau": np.ones(1)}, path)
    with pytest.raises(InputError, match="format None: expected coderm-difficulty/1"):
        load_weights(path)
    save_file({"other": np.ones(1)}, path, metadata={"format": "coderm-difficulty/1", "type": "nll"})
    with pytest.raises(InputError, match="damaged weights"):
        load_weights(path)
    save_weights(path, TRAINED[2], {"features_version": "9"})
    with pytest.raises(InputError, match=r"w\.safetensors: features version '9'"):
        load_weights(path)
    for content in (b"", b"\x08" * 40):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no safetensors file"):
            load_weights(path)
    with pytest.raises(InputError, match="no safetensors file"):
        load_weights(tmp_path / "none")


def test_states_of_either_rank_are_read_by_task(tmp_path: Path) -> None:
    path = tmp_path / "h.safetensors"
    states = {t: RNG.normal(size=(3, 2, 5)).astype(np.float16) for t in ("a/1", "b")}
    with path.open("wb") as stream:
        save_states(stream, states, model="m", tokens=json.dumps(["last", "mean"]))
    loaded = load_states(path)
    assert list(loaded) == ["a/1", "b"]
    assert loaded["b"].dtype == np.float32
    assert loaded["b"] == pytest.approx(states["b"].astype(np.float32))
    words = {"format": "coderm-hidden-states/1", "task_ids": '["a", "b"]'}
    save_file({"states": np.ones((2, 3, 5), np.float32)}, path, metadata=words)
    assert load_states(path)["a"].shape == (3, 1, 5)
    save_file({"states": np.ones((3, 3, 5), np.float32)}, path, metadata=words)
    with pytest.raises(InputError, match=r"states \(3, 3, 1, 5\) for 2 task_ids"):
        load_states(path)
    save_file({"states": np.full((2, 3, 5), np.inf, np.float32)}, path, metadata=words)
    with pytest.raises(InputError, match="states of a hold a value that is not finite"):
        load_states(path)
    save_file({"states": np.ones((2, 3, 5), np.float32)}, path, metadata={"format": "coderm-hidden-states/1"})
    with pytest.raises(InputError, match="metadata 'task_ids'"):
        load_states(path)


def test_likelihoods_are_means_of_the_first_known_samples(tmp_path: Path) -> None:
    path = tmp_path / "n.jsonl"
    lines = [{"task_id": "a", "nll": [1, None, 3, 2, 2, 99]}, {"task_id": "b", "nll": [None]}, {"task_id": "c", "nll": []}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert load_likelihoods(path) == {"a": 2.0}
