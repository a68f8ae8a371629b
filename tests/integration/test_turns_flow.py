"""Two models that take turns on one machine, for real: vLLM's servers put to sleep and woken, and transformers loaded and let go.

What is drawn and found must not depend on the turns. vLLM's build for CPUs refuses sleep mode on its command line, but its server
has the endpoints and stops answering until it is woken; so the pool below is told that its engines sleep, and they are started
without the option: everything but the memory is as on a GPU.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.backend_config import VllmConfig
from models.backends.vllm_server import SLEEP_VARIABLES, VllmServer
from models.config import RunConfig
from tasks.draw_samples import draw_and_execute
from tasks.resources import engine_pool
from tasks.settings import load_settings
from tasks.shard import Shard, joined, split
from tests.engines import MARKS, live, managed
from tests.tiny_model import DEMO, TASKS, problems

pytest_plugins = ["tests.engine_fixtures"]
pytestmark = MARKS
N = 3


def drawn(folder: Path, policy: dict[str, Any], tests: dict[str, Any], turns: int) -> Shard:
    """What a run with so many turns has once it has drawn and executed."""
    lines = [line for line in (DEMO / "problems.jsonl").read_text().splitlines() if json.loads(line)["task_id"] in TASKS]
    (folder / "problems.jsonl").write_text("\n".join(lines) + "\n")
    config = RunConfig.model_validate(
        {
            "benchmark": {"name": "learned-by-heart", "problems": folder / "problems.jsonl"},
            "policy": policy,
            "tests": tests,
            "n_solutions": N,
            "n_tests": N,
            "sandbox": {"runtime": "process"},
            "waves": turns,
        }
    )
    with engine_pool().hold():
        return joined(draw_and_execute.fn(config, split(problems(), 2)))


def same(one: Shard, other: Shard) -> None:
    assert one.solutions == other.solutions
    assert one.tests == other.tests
    assert one.labels == other.labels
    assert {t: m.verdicts.tolist() for t, m in one.matrices.items()} == {t: m.verdicts.tolist() for t, m in other.matrices.items()}


def test_transformers_in_two_turns_draws_what_one_turn_draws(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = live("transformers", model, max_model_len=1024, device="cpu")
    tests = {**policy, "sampling": {"max_tokens": 300, "temperature": 1.0}}
    once = drawn(tmp_path, policy, tests, turns=1)
    monkeypatch.setenv("CODERM_HOME", str(tmp_path / "another"))
    twice = drawn(tmp_path, policy, tests, turns=2)
    same(once, twice)
    assert (once.times["waves"], twice.times["waves"]) == (1, 2)
    assert twice.times["switch"] > 0
    assert set(twice.matrices) == set(TASKS)


def test_engines_of_vllm_sleep_and_wake_between_turns(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diary: list[tuple[str, str, bool]] = []

    class Told(VllmServer):
        """A real server that can be told to sleep on a CPU, and whose word is taken for whether it does."""

        def __init__(self, config: VllmConfig, state: Path) -> None:
            super().__init__(
                config.model_copy(update={"sleep": False, "variables": {**config.variables, **SLEEP_VARIABLES}}), state
            )
            self.name = "policy" if config.max_num_seqs == 8 else "tests"

        def _control(self, action: str) -> None:
            super()._control(action)
            answer = httpx.get(f"{self.base_url.removesuffix('/v1')}/is_sleeping", trust_env=False).json()
            diary.append((self.name, action.partition("?")[0], answer["is_sleeping"]))

    monkeypatch.setattr(engine_pool(), "_start", Told)
    policy, tests = (managed(model, max_num_seqs=seqs, sleep=True) for seqs in (8, 16))
    found = drawn(tmp_path, policy, tests, turns=2)
    assert [(name, action) for name, action, _ in diary] == [
        ("policy", "sleep"),
        ("tests", "sleep"),
        ("policy", "wake_up"),
        ("policy", "sleep"),
        ("tests", "wake_up"),
    ]
    assert all(asleep == (action == "sleep") for _, action, asleep in diary)
    assert len(list((load_settings().root / "logs").glob("vllm-*.log"))) == 2  # one start each
    assert found.times["waves"] == 2
    assert set(found.matrices) == set(TASKS)
    assert all(counts.drawn == N for of_task in found.samples.values() for counts in of_task.values())
