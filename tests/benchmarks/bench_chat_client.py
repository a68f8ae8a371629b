"""How many sampled tokens a second our side can take in: HTTP, JSON, log-probabilities, extraction, storing.

    python -m tests.benchmarks.bench_chat_client [--problems 164] [--n 100] [--tokens 300] [--concurrency 16]

A server in a process of its own answers every request at once with the same ``n`` responses, made up before the clock starts, in
the JSON that vLLM writes (a token with its bytes and log-probability is some 110 characters). So what is measured is the client
alone: its ceiling. A model's server must be slower than this for the client not to hold it up. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from models.backend_config import OpenAIConfig, Sampling
from models.backends.openai_compat import OpenAIGenerator
from models.backends.stored import StoredGenerator
from models.run_record import GenerationRequest
from tests.chat_server import MODEL, Act, chat_server
from tests.tiny_model import dialogues


def body(n: int, tokens: int, *, logprobs: bool) -> str:
    """An answer of ``n`` choices with ``tokens`` tokens each; texts are the demo's tests."""
    texts = list(itertools.islice(itertools.cycle(answer for _, answer in dialogues() if "unittest" in answer), n))
    told = [{"token": " self", "logprob": -math.pi / 7, "bytes": list(b" self"), "top_logprobs": []}] * tokens
    choices = [
        {
            "index": k,
            "message": {"role": "assistant", "content": text, "tool_calls": [], "reasoning": None},
            "logprobs": {"content": told} if logprobs else None,
            "finish_reason": "stop",
            "stop_reason": None,
            "token_ids": None,
        }
        for k, text in enumerate(texts)
    ]
    return json.dumps({"choices": choices, "usage": {"prompt_tokens": 300, "completion_tokens": n * tokens}})


def serve(n: int, tokens: int) -> None:
    """Until standard input ends; prints where."""
    bodies = {told: Act(body=body(n, tokens, logprobs=told)) for told in (False, True)}

    def plan(_number: int, asked: dict[str, Any]) -> Act:
        return bodies[bool(asked.get("logprobs"))]

    with chat_server(plan) as server:
        print(server.url, flush=True)
        sys.stdin.read()


def measured(chosen: argparse.Namespace, url: str, *, logprobs: bool, stored: bool) -> tuple[float, float]:
    """(seconds, of which this process computed)."""
    from db.store import open_store

    requests = [
        GenerationRequest(task_id=f"t/{at}", kind="test", prompt=f"solve {at}", n=chosen.n, seed=at * chosen.n)
        for at in range(chosen.problems)
    ]
    config = OpenAIConfig(model=MODEL, base_url=url, concurrency=chosen.concurrency, sampling=Sampling(logprobs=logprobs))
    model = OpenAIGenerator.of(config, None)
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/x.db") as store:
        began, computed = time.monotonic(), time.process_time()
        with StoredGenerator(model, store, config.extraction) if stored else model as generator:
            taken = sum(len(generation.samples) for generation in generator.generate(requests))
        assert taken == chosen.problems * chosen.n
        return time.monotonic() - began, time.process_time() - computed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.n, chosen.tokens)
        return
    command = [sys.executable, "-m", "tests.benchmarks.bench_chat_client", "--serve"]
    command += ["--n", str(chosen.n), "--tokens", str(chosen.tokens)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        print(f"{'':32} {'responses/s':>12} {'tokens/s':>12} {'CPU s for a million tokens':>28}")
        for logprobs, stored in ((False, False), (True, False), (True, True)):
            rounds = [measured(chosen, url, logprobs=logprobs, stored=stored) for _ in range(chosen.rounds)]
            seconds, computed = (statistics.median(column) for column in zip(*rounds, strict=True))
            responses = chosen.problems * chosen.n
            name = f"{'with' if logprobs else 'without'} log-probabilities{', stored' if stored else ''}"
            tokens = responses * chosen.tokens
            print(f"{name:32} {responses / seconds:12,.0f} {tokens / seconds:12,.0f} {1e6 * computed / tokens:28.2f}")
        server.stdin.close()


if __name__ == "__main__":
    main()
