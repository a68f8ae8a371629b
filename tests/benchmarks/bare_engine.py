"""vLLM's engine alone, without a server: the measure of ``gpu_sampling.py``, and a program of vLLM's environment, not of this one.

``python bare_engine.py PLAN.json``: start, one warm-up round, then the rounds that are asked for; prints one JSON list of
[output tokens, seconds, CPU seconds of the engine's processes]. All prompts in one ``LLM.chat`` call, as vLLM likes best.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def cpu_s(pid: int) -> float:
    """CPU seconds so far of one process, all its threads."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def cpu_s_below(pid: int) -> float:
    """CPU seconds so far of all living processes that it has started, and of theirs: of an engine, where it is one's front."""
    found = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (thread / "children").read_text().split()):
            found += cpu_s(child) + cpu_s_below(child)
    return found


def main(plan: dict[str, Any]) -> list[tuple[int, float, float]]:
    """``plan``: engine, prompts, sampling; ``rounds``: n and the first seed of each prompt (None: unseeded), warm-up first."""
    from vllm import LLM, SamplingParams

    engine = LLM(**plan["engine"])
    prompts = [[{"role": "user", "content": text}] for text in plan["prompts"]]
    measured = []
    for n, seeds in plan["rounds"]:
        settings = [SamplingParams(n=n, seed=seed, **plan["sampling"]) for seed in seeds]
        began, computed = time.monotonic(), cpu_s_below(os.getpid())
        answers = engine.chat(prompts, settings, use_tqdm=False)
        seconds = time.monotonic() - began
        tokens = sum(len(out.token_ids) for answer in answers for out in answer.outputs)
        measured.append((tokens, seconds, cpu_s_below(os.getpid()) - computed))
    return measured[1:]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
