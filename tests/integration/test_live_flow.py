"""The whole flow on a live backend: HTTP server, sandbox, store, MLflow, report; broken off, resumed, and without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import BackendUnavailable
from tests.chat_server import MODEL, Act, chat_server, error

pytest_plugins = ["tests.servers"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]

CHECK = "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(-2) == 4\n"
KINDS = ("def sq(x):\n    return x * x", "def sq(x):\n    return x + x", "def sq(x):\n    return abs(x) * abs(x)", None)


def wrote(prompt: str, seed: int) -> str:
    """Every fourth solution is no code; tests are of four kinds, so that most of eight are duplicates."""
    if "### code solution" in prompt:
        x = (3, 2, -1, 4)[seed % 4]
        method = f"    def test_it(self):\n        self.assertEqual(sq({x}), {x * x})"
        return f"```python\nimport unittest\n\nclass TestSq(unittest.TestCase):\n{method}\n```"
    code = KINDS[seed % 4]
    return f"```python\n{code}\n```" if code else "I cannot."


def config(folder: Path, url: str) -> Any:
    from models.config import RunConfig

    lines = [
        {"task_id": f"sq/{i}", "prompt": f"Square a number, {i}.", "entry_point": "sq", "style": "function",
         "ground_truth": {"kind": "check", "source": CHECK}}
        for i in range(3)
    ]  # fmt: skip
    (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    backend = {"type": "openai", "model": MODEL, "base_url": url, "attempts": 2, "max_wait_s": 0.05, "concurrency": 2}
    return RunConfig.model_validate(
        {
            "benchmark": {"name": "live", "problems": folder / "problems.jsonl"},
            "policy": {**backend, "price": {"per_million_in": 1.0, "per_million_out": 2.0, "per_hour": 3.0}},
            "tests": backend,
            "n_solutions": 8,
            "n_tests": 8,
            "sandbox": {"runtime": "process", "workers": 2},
            "quality": {"reference": False},
        }
    )


def test_a_run_breaks_off_is_resumed_and_needs_no_server_the_second_time(
    prefect_client: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.__main__ import run as command
    from flows.benchmark import benchmark
    from tasks.resources import open_database

    broken = {"on": True}

    def plan(_number: int, body: dict[str, Any]) -> Act | None:
        return error(500, "out of memory") if broken["on"] and "### code solution" in body["messages"][0]["content"] else None

    with chat_server(plan, wrote) as chat:
        wanted = config(tmp_path, chat.url)
        with pytest.raises(BackendUnavailable, match="status 500: out of memory"):
            benchmark(wanted)
        with open_database() as store:
            assert store.list_runs() == []
            (begun,) = store.started_runs()
        broken["on"] = False
        asked_before = len(chat.bodies)
        capsys.readouterr()
        assert command(["runs", "samples", begun["run_id"], "sq/0"]) == 0  # from the store: nobody is asked
        shown = capsys.readouterr().out
        assert (shown.count("kept as solution"), shown.count("discarded, no_code_block")) == (6, 2)
        assert "I cannot." in shown
        assert command(["runs", "samples", begun["run_id"], "sq/0", "--kind", "test"]) == 2
        assert f"no answer of {MODEL} is stored" in capsys.readouterr().err
        assert len(chat.bodies) == asked_before
        assert command(["runs", "resume", begun["run_id"][:17]]) == 0
        assert all("### code solution" in b["messages"][0]["content"] for b in chat.bodies[asked_before:])
        assert len(chat.bodies) - asked_before == 3
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["run_id"] == begun["run_id"]
    with open_database() as store:
        run = store.load_run(begun["run_id"])
        assert store.started_runs() == []
    counts = run.samples["solution"]["sq/0"], run.samples["test"]["sq/1"]
    assert (counts[0].drawn, counts[0].kept, counts[0].reused, counts[0].discarded) == (8, 6, 8, {"no_code_block": 2})
    assert (counts[1].kept, counts[1].discarded, counts[1].tokens_out) == (4, {"duplicate": 4}, 32)
    assert counts[1].mean_logprob == -0.5
    assert run.metrics["selector/majority/pass_1"] == 1.0
    assert run.metrics["sampling/test/tokens_out"] == 96
    assert run.metrics["sampling/solution/reused_share"] == 1.0
    assert 0 < run.metrics["sampling/busy_share"] <= 1
    assert run.metrics["ops/waiting_sandbox_max"] >= 1
    assert run.metrics["ops/waiting_model_max"] >= 1
    assert run.metrics["ops/sample_s"] == run.metrics["ops/sandbox_s"]
    assert run.generators["solution"].sampling["temperature"] == 0.8
    page = Path(told["report"]).read_text()
    assert "Sampling and its costs" in page
    assert "no code block 6" in page

    again = benchmark(wanted)  # the server is gone, and nothing is missing
    assert again["metrics"]["sampling/test/reused_share"] == 1.0
    assert again["metrics"]["cost/total"] == 0
    assert again["metrics"]["selector/majority/pass_1"] == 1.0


def test_prompts_that_are_too_long_cost_their_own_problems_and_the_report_says_so(prefect_client: None, tmp_path: Path) -> None:
    """One problem without candidates, another without tests: the run ends, and the third problem is decided as ever."""
    from flows.benchmark import benchmark
    from models.config import GateConfig
    from tasks.resources import open_database

    def plan(_number: int, body: dict[str, Any]) -> Act | None:
        content = body["messages"][0]["content"]
        unread = "number, 1." in content or ("number, 2." in content and "### code solution" in content)
        return error(400, "This model's maximum context length is 4096 tokens; the prompt has 5000") if unread else None

    with chat_server(plan, wrote) as chat:
        lenient = config(tmp_path, chat.url).model_copy(update={"gates": GateConfig(min_kept_share=0.1)})
        summary = benchmark(lenient)
    with open_database() as store:
        run = store.load_run(summary["run_id"])
    assert [c.discarded.get("prompt_too_long", 0) for c in run.samples["solution"].values()] == [0, 8, 0]
    assert {t: c.kept for t, c in run.samples["test"].items()} == {"sq/0": 4, "sq/1": 0, "sq/2": 0}
    assert run.metrics["selector/majority/problems"] == 2
    assert "prompt too long 8" in Path(summary["report"]).read_text()


def test_a_dry_run_names_tokens_hours_and_price(tmp_path: Path) -> None:
    from tasks.estimate import estimate_run

    told = estimate_run(config(tmp_path, "http://127.0.0.1:9/v1"))
    assert told["tokens out, solutions"] == "7,200 (about; 49,152 at most)"
    assert {"tokens in, tests", "hours of the models", "price"} <= set(told)
