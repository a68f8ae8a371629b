"""Whole benchmark runs on real engines: vLLM's server, killed under way, and transformers.

The model is tests/tiny_model.py's: real weights in the usual format, small enough for two cores. What a server answers to single
requests: test_engines_live.py.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.engines import MARKS, live, managed
from tests.tiny_model import DEMO, TASKS

pytest_plugins = ["tests.engine_fixtures", "tests.servers"]
pytestmark = MARKS
N = 6


def config(folder: Path, backend: dict[str, Any]) -> Any:
    from models.config import RunConfig

    lines = [line for line in (DEMO / "problems.jsonl").read_text().splitlines() if json.loads(line)["task_id"] in TASKS]
    (folder / "problems.jsonl").write_text("\n".join(lines) + "\n")
    return RunConfig.model_validate(
        {
            "benchmark": {"name": "learned-by-heart", "problems": folder / "problems.jsonl"},
            "policy": backend,
            "tests": backend,
            "n_solutions": N,
            "n_tests": N,
            "k": [1],
            "sandbox": {"runtime": "process"},
            "shard_problems": 2,
        }
    )


def partly_right(summary: dict[str, Any], backend: str) -> None:
    """The run is complete, came from this backend, and its samples are parseable and partly right."""
    from tasks.resources import open_database

    with open_database() as store:
        run = store.load_run(summary["run_id"])
    assert {kind: who.backend for kind, who in run.generators.items()} == {"solution": backend, "test": backend}
    assert set(run.solutions) == set(TASKS)
    assert sum(len(s.solutions) for s in run.solutions.values()) >= len(TASKS) * N / 2
    assert all(t.tests for t in run.tests.values())
    assert summary["metrics"]["selector/oracle/pass_1"] > 0
    assert Path(summary["report"]).exists()


def test_a_run_on_vllm_outlives_its_engine(prefect_client: None, tmp_path: Path, model: str) -> None:
    """The engine's core is killed once the first samples are stored: the run starts another and asks only for what is missing."""
    from flows.benchmark import benchmark
    from models.backends.engine_process import marked
    from tasks.resources import open_database
    from tasks.settings import load_settings

    state, found = load_settings().root, dict[str, Any]()
    with open_database():  # the schema is there before somebody else reads it
        killer = threading.Thread(target=kill_the_core, args=(state, found))
    killer.start()
    summary = benchmark(config(tmp_path, managed(model, concurrency=1)))
    killer.join()
    partly_right(summary, "vllm")
    assert len(list((state / "logs").glob("vllm-*.log"))) == 2  # stages and shards shared one engine, until it was gone
    with open_database() as store:
        counts = store.load_run(summary["run_id"]).samples
    reused = {(kind, t): c.reused for kind, of_task in counts.items() for t, c in of_task.items()}
    assert all(c.drawn == N for of_task in counts.values() for c in of_task.values())
    assert 0 < len(found["stored"]) < 2 * len(TASKS)
    assert {key for key, count in reused.items() if count == N} >= found["stored"]
    assert sum(count == 0 for count in reused.values()) >= 1
    assert marked(found["marks"]) == []
    assert not list((state / "engines").iterdir())


def kill_the_core(state: Path, found: dict[str, Any]) -> None:
    """SIGKILL to the process that holds the weights, as soon as a series of samples is stored."""
    import sqlite3

    from models.backends.engine_process import marked

    deadline, stored = time.monotonic() + 900, "SELECT kind, task_id FROM response_series"
    with closing(sqlite3.connect(state / "coderm.db", timeout=60)) as database:
        while not (rows := database.execute(stored).fetchall()) and time.monotonic() < deadline:
            time.sleep(0.02)
    marks = {path.stem for path in (state / "engines").glob("*.json")}
    core = next(p for p in marked(marks) if "EngineCor" in Path(f"/proc/{p}/comm").read_text())
    os.kill(core, signal.SIGKILL)
    found |= {"stored": set(rows), "marks": marks}


def test_a_run_on_transformers(prefect_client: None, tmp_path: Path, model: str) -> None:
    from flows.benchmark import benchmark

    partly_right(benchmark(config(tmp_path, live("transformers", model, max_model_len=1024, device="cpu"))), "transformers")


def test_faults_of_transformers_are_one_line(model: str, tmp_path: Path) -> None:
    from models.backend_config import Sampling, TransformersConfig
    from models.backends.transformers_local import TransformersGenerator
    from models.errors import BackendUnavailable, InputError
    from models.run_record import GenerationRequest

    with pytest.raises(InputError, match="field 'model'"):
        TransformersGenerator(TransformersConfig(model=str(tmp_path))).__enter__()
    with pytest.raises(BackendUnavailable, match="field 'device'"):
        TransformersGenerator(TransformersConfig(model=model, device="cuda:7")).__enter__()
    long = TransformersConfig(model=model, device="cpu", sampling=Sampling(max_tokens=5000))
    asked = GenerationRequest(task_id="t", kind="solution", prompt="Write something.", n=1, seed=0)
    with TransformersGenerator(long) as generator, pytest.raises(InputError, match="do not fit"):
        list(generator.generate([asked]))
    some = TransformersConfig(model=model, device="cpu", batch_size=3, sampling=Sampling(max_tokens=8))
    unread = asked.model_copy(update={"task_id": "long", "prompt": "word " * 3000, "n": 5})
    with TransformersGenerator(some) as generator:
        few = asked.model_copy(update={"n": 2})
        found = [(g.task_id, [s.discard_reason for s in g.samples]) for g in generator.generate([few, unread, unread, few])]
    assert [task for task, _reasons in found] == ["t", "long", "long", "t"]
    assert [reasons for task, reasons in found if task == "long"] == [["prompt_too_long"] * 5] * 2
    assert all(len(reasons) == 2 and "prompt_too_long" not in reasons for task, reasons in found if task == "t")


def test_no_memory_for_transformers_is_one_line() -> None:
    import torch

    from models.backends.transformers_model import out_of_memory
    from models.errors import BackendUnavailable

    no_room = r"^m: out of memory \(.*can't allocate memory.*\); lower batch_size$"
    with pytest.raises(BackendUnavailable, match=no_room), out_of_memory("m", "lower batch_size"):
        torch.empty(1 << 55, dtype=torch.uint8)
    with pytest.raises(BackendUnavailable, match=r"out of memory \(CUDA"), out_of_memory("m", "lower batch_size"):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory("m", "lower batch_size"):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def test_hidden_states_are_the_models_own(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that the probe reads; its last layer, through the model's own head, gives the model's own scores."""
    import numpy as np
    import torch

    from flows.__main__ import run
    from models.backends.transformers_model import load
    from models.prompts import solution_prompt
    from tasks.difficulty_files import load_states
    from tests.tiny_model import SHAPE, problems

    chosen = config(tmp_path, live("transformers", model, max_model_len=1024, device="cpu"))
    toml = tmp_path / "run.toml"
    toml.write_text(
        f'[benchmark]\nname = "x"\nproblems = "problems.jsonl"\n[policy]\ntype = "transformers"\nmodel = "{model}"\n'
        f'max_model_len = 1024\n[tests]\ntype = "transformers"\nmodel = "{model}"\n'
    )
    assert run(["states", str(toml), "--out", str(tmp_path / "h.safetensors")]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    layers = SHAPE["num_hidden_layers"] + 1
    assert (told["problems"], told["layers"], told["tokens"], told["width"]) == (len(TASKS), layers, 1, SHAPE["hidden_size"])
    found = load_states(tmp_path / "h.safetensors")
    assert set(found) == set(TASKS)
    loaded = load(model, None, "cpu", "float32")
    for task, problem in problems().items():
        tokens = torch.tensor([loaded.prompt_tokens(solution_prompt(problem, chosen.policy.prompt))])
        with torch.inference_mode():
            scores = loaded.model(input_ids=tokens).logits[0, -1]
            through_head = loaded.model.lm_head(torch.from_numpy(found[task][-1, 0]))
        np.testing.assert_allclose(through_head.numpy(), scores.numpy(), atol=1e-4)
    assert run(["states", str(toml), "--set", "policy.type=openai", "--out", "x"]) == 2
