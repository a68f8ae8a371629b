"""vLLM's engine alone, without a server: the measure of ``gpu_sampling.py``, and a program of vLLM's environment, not of this one.

``python bare_engine.py PLAN.json``: start, one warm-up round, then the rounds that are asked for; prints one JSON list of
[output tokens, seconds]. All prompts in one ``LLM.chat`` call, the way that vLLM likes best.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(plan: dict[str, Any]) -> list[tuple[int, float]]:
    """``plan``: engine, prompts, sampling; ``rounds``: n and the first seed of each prompt (None: unseeded), warm-up first."""
    from vllm import LLM, SamplingParams

    engine = LLM(**plan["engine"])
    prompts = [[{"role": "user", "content": text}] for text in plan["prompts"]]
    measured = []
    for n, seeds in plan["rounds"]:
        settings = [SamplingParams(n=n, seed=seed, **plan["sampling"]) for seed in seeds]
        began = time.monotonic()
        answers = engine.chat(prompts, settings, use_tqdm=False)
        measured.append((sum(len(out.token_ids) for answer in answers for out in answer.outputs), time.monotonic() - began))
    return measured[1:]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
