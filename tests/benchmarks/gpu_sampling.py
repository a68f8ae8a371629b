"""Output tokens a second of our sampling stage (managed server, HTTP, extraction, store) against bare calls of the same engine.

    python -m tests.benchmarks.gpu_sampling                    Llama-3-8B's shape, random weights: on a machine with a GPU
    python -m tests.benchmarks.gpu_sampling --shape 200m       a shape for a CPU, large enough that the engine takes the time
    python -m tests.benchmarks.gpu_sampling --small            a tiny shape on a CPU: shows that the script works, says nothing else

Same weights (none: vLLM's load format "dummy"), prompts, seeds, sampling and engine options on both sides; responses run to the
token limit, so that both draw as many tokens. The sides take turns, each turn a fresh engine and one warm-up round that is left
out, as is starting; medians of all measured rounds. Bare: ``bare_engine.py``. Ours asks for log-probabilities as a run does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHAPES = {
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32},
    "200m": {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 12, "num_attention_heads": 16},
    "tiny": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4},
}
# heads of 32 at least: vLLM's attention for CPUs has no smaller ones
SHAPES["8b"] |= {"num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192}
SHAPES["200m"] |= {"num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 1024}
SHAPES["tiny"] |= {"num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": 1024}
SIZES = {"8b": (32, 100, 512), "200m": (4, 32, 48), "tiny": (8, 32, 128)}
"""Prompts, samples of each, tokens a sample."""
CPU_VARIABLES = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
"""One thread: two that wait for each other on a busy core are many times slower."""
WHOLE_PROMPTS = "--no-enable-chunked-prefill"
"""On CPUs, both sides: vLLM 0.32 takes a seeded generator back where it discards the token of half a prompt, and no CPU's can."""
WARM_UP = 8
"""The warm-up round draws this share of the samples."""

Rounds = list[tuple[int, float, float]]
"""(output tokens, seconds, CPU seconds of the engine's processes) each."""


def bare(plan: dict[str, Any], chosen: argparse.Namespace) -> Rounds:
    """One turn of the engine alone, in vLLM's environment."""
    from models.backends.engine_process import FOREIGN

    if chosen.bare_seeds == "none":
        plan = {**plan, "rounds": [(n, [None] * len(seeds)) for n, seeds in plan["rounds"]]}
    program = str(Path(__file__).with_name("bare_engine.py").resolve())
    variables = {k: v for k, v in os.environ.items() if k not in FOREIGN} | {"VLLM_NO_USAGE_STATS": "1"}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(plan, file)
        file.flush()
        command = [str(chosen.python.absolute()), program, file.name]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=variables | (CPU_VARIABLES if chosen.cpu else {})
        )
    if done.returncode:
        sys.exit(f"the bare engine failed:\n{done.stderr[-2000:]}")
    found = next(line for line in done.stdout.splitlines() if line.startswith("[["))  # the engine logs to stdout as well
    return [(tokens, seconds, computed) for tokens, seconds, computed in json.loads(found)]


def ours(plan: dict[str, Any], chosen: argparse.Namespace) -> Rounds:
    """One turn of the product's own backend, as a run opens it."""
    from db.store import open_store
    from models.backend_config import Sampling, VllmConfig
    from models.backends.engine_pool import EnginePool
    from models.backends.stored import StoredGenerator
    from models.backends.vllm_managed import VllmGenerator
    from models.run_record import GenerationRequest
    from tests.benchmarks.bare_engine import cpu_s, cpu_s_below

    engine = plan["engine"]
    config = VllmConfig(
        sampling=Sampling(**plan["sampling"], logprobs=chosen.logprobs != "none"),
        python=chosen.python,
        **({"logprob_samples": None} if chosen.logprobs == "all" else {}),
        **{name: value for name, value in engine.items() if name in VllmConfig.model_fields},
        variables=CPU_VARIABLES if chosen.cpu else {},
        extra_args=("--load-format", "dummy", *(["--enforce-eager", WHOLE_PROMPTS] if chosen.cpu else [])),
    )
    rounds: Rounds = []
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/draws.db") as store:
        model = VllmGenerator(config, EnginePool(), Path(folder))
        with StoredGenerator(model, store, config.extraction) as generator:
            for n, seeds in plan["rounds"]:
                requests = [
                    GenerationRequest(task_id=str(at), kind="solution", prompt=text, n=n, seed=seed)
                    for at, (text, seed) in enumerate(zip(plan["prompts"], seeds, strict=True))
                ]
                front = server_of(Path(folder)) if rounds else 0  # the warm-up starts it
                before = (cpu_s(front), cpu_s_below(front)) if front else (0.0, 0.0)
                began = time.monotonic()
                tokens = sum(s.tokens_out for generation in generator.generate(requests) for s in generation.samples)
                seconds, front = time.monotonic() - began, server_of(Path(folder))
                rounds.append((tokens, seconds, cpu_s_below(front) - before[1]))
            http_s = cpu_s(front) - before[0]
    print(f"the server's HTTP process: {1e6 * http_s / tokens:.1f} µs of CPU a token")
    return rounds[1:]


def server_of(state: Path) -> int:
    """The process of the server that all tokens pass through; the engine's are below it."""
    from models.backends.engine_process import marked

    pids = marked({path.stem for path in (state / "engines").glob("*.json")})
    return next(pid for pid in pids if b"api_server" in Path(f"/proc/{pid}/cmdline").read_bytes())


def plan_of(chosen: argparse.Namespace, folder: str, turn: int) -> dict[str, Any]:
    """What both sides do in a turn: a range of ``n`` seeds for each prompt and round, none twice, the warm-up's first."""
    from tests.tiny_model import dialogues

    shape = SHAPES[chosen.shape]
    engine = {"model": folder, "load_format": "dummy", "max_model_len": min(4096, shape["max_position_embeddings"])}
    engine |= {"max_num_seqs": 512, "enable_prefix_caching": True, "gpu_memory_utilization": 0.2 if chosen.cpu else 0.9}
    engine |= {"dtype": "float32" if chosen.cpu else "bfloat16", "enforce_eager": chosen.cpu}
    engine |= {"override_generation_config": {"top_k": 0, "repetition_penalty": 1.0}}
    engine |= {"enable_chunked_prefill": False} if chosen.cpu else {}
    texts = list(dict.fromkeys(prompt for prompt, _ in dialogues()))
    count, n = chosen.prompts, chosen.n
    first = turn * (chosen.rounds + 1)
    seeds = [[((first + number) * count + at) * n for at in range(count)] for number in range(chosen.rounds + 1)]
    return {
        "engine": engine,
        "prompts": [f"{at}. {texts[at % len(texts)]}" for at in range(count)],
        "sampling": {"temperature": 0.8, "top_p": 0.95, "max_tokens": chosen.max_tokens},
        "rounds": [(max(1, n // WARM_UP) if number == 0 else n, row) for number, row in enumerate(seeds)],
    }


def write_model(folder: Path, shape: dict[str, int]) -> None:
    """Configuration and tokenizer; the weights are made up by the engine."""
    from transformers import LlamaConfig

    from tests.tiny_model import dialogues, trained_tokenizer

    tokenizer = trained_tokenizer([text for pair in dialogues() for text in pair])
    tokenizer.save_pretrained(folder)
    ends = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    architecture = ["LlamaForCausalLM"]
    LlamaConfig(**shape, **ends, rope_theta=500000.0, architectures=architecture).save_pretrained(folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--small", dest="shape", action="store_const", const="tiny", help="the tiny shape")
    parser.add_argument("--python", type=Path, default=Path(".venv-vllm/bin/python"))
    parser.add_argument("--prompts", type=int)
    parser.add_argument("--n", type=int)
    parser.add_argument("--max-tokens", type=int)
    parser.add_argument("--turns", type=int, default=3, help="of each side, alternating; each starts its engine anew")
    parser.add_argument("--rounds", type=int, default=1, help="measured in each turn")
    parser.add_argument(
        "--logprobs", choices=("none", "run", "all"), default="run", help="run: as a run asks by default, bare never"
    )
    parser.add_argument("--bare-seeds", choices=("same", "none"), default="same", help="none: bare draws without, ours with seeds")
    chosen = parser.parse_args()
    chosen.cpu = chosen.shape != "8b"
    for name, usual in zip(("prompts", "n", "max_tokens"), SIZES[chosen.shape], strict=True):
        setattr(chosen, name, getattr(chosen, name) or usual)
    report(chosen)


def report(chosen: argparse.Namespace) -> None:
    """Measure both in turns and compare."""
    print(f"shape {chosen.shape}; {chosen.prompts} prompts, n = {chosen.n}, at most {chosen.max_tokens} tokens; T 0.8, top_p 0.95")
    print(f"seeds: one a sample, {'the same on both sides' if chosen.bare_seeds == 'same' else 'ours only'}")
    print(f"log-probabilities: bare none, ours {chosen.logprobs}{f'; both sides: {WHOLE_PROMPTS}' if chosen.cpu else ''}")
    sides = {"bare engine": bare, "our sampling stage": ours}
    measured: dict[str, Rounds] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), SHAPES[chosen.shape])
        for turn in range(chosen.turns):
            for name, side in sides.items():
                measured[name] += side(plan_of(chosen, folder, turn), chosen)
                told = ", ".join(f"{n:,} tokens in {s:.1f} s" for n, s, _ in measured[name][-chosen.rounds :])
                print(f"turn {turn + 1}: {name}: {told}")
    speeds, costs = {}, {}
    print(f"{'median of a round':20} {'tokens':>10} {'seconds':>10} {'tokens/s':>10} {'engine, CPU µs a token':>24}")
    for name, rounds in measured.items():
        speeds[name] = statistics.median(tokens / seconds for tokens, seconds, _ in rounds)
        costs[name] = statistics.median(1e6 * computed / tokens for tokens, _, computed in rounds)
        tokens, seconds, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:20} {tokens:10,.0f} {seconds:10.2f} {speeds[name]:10,.0f} {costs[name]:24,.0f}")
    said = " (tiny: proves the script, no claim)" if chosen.shape == "tiny" else " (wanted: at least 95 %)"
    print(f"ours / bare: {speeds['our sampling stage'] / speeds['bare engine']:.1%}{said}")
    print(f"the engine's CPU time a token, bare / ours: {costs['bare engine'] / costs['our sampling stage']:.1%}")


if __name__ == "__main__":
    main()
