"""Output tokens a second of our sampling stage (managed server, HTTP, extraction) against bare calls of the same engine.

    python -m tests.benchmarks.gpu_sampling                 Llama-3-8B's shape, random weights: on a machine with a GPU
    python -m tests.benchmarks.gpu_sampling --small         a tiny shape on a CPU: shows that the script works, says nothing else

Same weights (none: vLLM's load format "dummy"), prompts, seeds, sampling and engine options on both sides; responses run to the
token limit, so that both draw the same number of tokens. Bare: one ``LLM.chat`` call over all prompts in a process of its own, the
way that vLLM likes best. Starting and one warm-up round are left out; medians of the measured rounds. This file is also the bare
side's program: the other environment runs it with ``--bare``.
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

LLAMA_3_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rope_theta": 500000.0,
}
SMALL = {**LLAMA_3_8B, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
# heads of 32: vLLM's attention for CPUs has no smaller ones
SMALL |= {"num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": 1024}
CPU_VARIABLES = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
"""One thread: two that wait for each other on a busy core are many times slower."""


def bare(plan: dict[str, Any]) -> list[tuple[int, float]]:
    """(output tokens, seconds) a round, by the engine alone. Runs in vLLM's environment."""
    from vllm import LLM, SamplingParams

    engine = LLM(**plan["engine"])
    prompts = [[{"role": "user", "content": text}] for text in plan["prompts"]]
    rounds = []
    for number in range(plan["rounds"] + 1):
        settings = [SamplingParams(n=plan["n"], seed=seed, **plan["sampling"]) for seed in seeds(plan, number)]
        began = time.monotonic()
        answers = engine.chat(prompts, settings, use_tqdm=False)
        rounds.append((sum(len(out.token_ids) for answer in answers for out in answer.outputs), time.monotonic() - began))
    return rounds[1:]


def ours(plan: dict[str, Any], python: Path, *, small: bool) -> list[tuple[int, float]]:
    """(output tokens, seconds) a round, through the product's own backend."""
    from models.backend_config import Sampling, VllmConfig
    from models.backends.engine_pool import EnginePool
    from models.backends.vllm_managed import VllmGenerator
    from models.run_record import GenerationRequest

    engine, sampling = plan["engine"], plan["sampling"]
    config = VllmConfig(
        model=engine["model"],
        python=python,
        sampling=Sampling(**{k: v for k, v in sampling.items() if k in Sampling.model_fields}, logprobs=plan["logprobs"] != "none"),
        **({"logprob_samples": None} if plan["logprobs"] == "all" else {}),
        concurrency=len(plan["prompts"]),
        max_model_len=engine["max_model_len"],
        max_num_seqs=engine["max_num_seqs"],
        gpu_memory_utilization=engine["gpu_memory_utilization"],
        dtype=engine["dtype"],
        variables=CPU_VARIABLES if small else {},
        extra_args=("--load-format", "dummy", *(["--enforce-eager"] if small else [])),
    )
    rounds, computed = [], 0.0
    with tempfile.TemporaryDirectory() as state, VllmGenerator(config, EnginePool(), Path(state)) as generator:
        for number in range(plan["rounds"] + 1):
            requests = [
                GenerationRequest(task_id=str(at), kind="solution", prompt=text, n=plan["n"], seed=seed)
                for at, (text, seed) in enumerate(zip(plan["prompts"], seeds(plan, number), strict=True))
            ]
            before = http_cpu_s(Path(state))
            began = time.monotonic()
            tokens = sum(s.tokens_out for generation in generator.generate(requests) for s in generation.samples)
            rounds.append((tokens, time.monotonic() - began))
            computed += http_cpu_s(Path(state)) - before
    print(f"the server's HTTP process: {1e6 * computed / sum(tokens for tokens, _ in rounds):.1f} µs of CPU a token")
    return rounds[1:]


def http_cpu_s(state: Path) -> float:
    """CPU seconds so far of the one process that all tokens pass through; the engine itself is another."""
    from models.backends.engine_process import marked

    pids = marked({path.stem for path in (state / "engines").glob("*.json")})
    server = next(pid for pid in pids if b"api_server" in Path(f"/proc/{pid}/cmdline").read_bytes())
    user, system = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def seeds(plan: dict[str, Any], number: int) -> list[int]:
    """A range of ``n`` for each prompt and round."""
    count = len(plan["prompts"])
    return [(number * count + at) * plan["n"] for at in range(count)]


def bare_elsewhere(plan: dict[str, Any], python: Path, *, small: bool) -> list[tuple[int, float]]:
    """``bare`` in vLLM's environment."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(plan, file)
        file.flush()
        variables = [f"{k}={v}" for k, v in {"VLLM_NO_USAGE_STATS": "1", **(CPU_VARIABLES if small else {})}.items()]
        command = [
            "env",
            "-u",
            "PYTHONPATH",
            *variables,
            str(python.absolute()),
            str(Path(__file__).resolve()),
            "--bare",
            file.name,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the bare engine failed:\n{done.stderr[-2000:]}")
    found = next(line for line in done.stdout.splitlines() if line.startswith("[["))  # the engine logs to stdout as well
    return [(tokens, seconds) for tokens, seconds in json.loads(found)]


def write_model(folder: Path, shape: dict[str, Any]) -> None:
    """Configuration and tokenizer; the weights are made up by the engine."""
    from transformers import LlamaConfig

    from tests.tiny_model import dialogues, trained_tokenizer

    tokenizer = trained_tokenizer([text for pair in dialogues() for text in pair])
    tokenizer.save_pretrained(folder)
    ends = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    LlamaConfig(**shape, **ends, architectures=["LlamaForCausalLM"]).save_pretrained(folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--small", action="store_true", help="a tiny shape, for a CPU")
    parser.add_argument("--python", type=Path, default=Path(".venv-vllm/bin/python"))
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--logprobs", choices=("none", "run", "all"), default="none", help="run: as a run asks by default; the bare side never does"
    )
    chosen = parser.parse_args()
    if chosen.bare:
        print(json.dumps(bare(json.loads(chosen.bare.read_text()))))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), SMALL if chosen.small else LLAMA_3_8B)
        report(plan_of(chosen, folder), chosen.python, small=chosen.small)


def plan_of(chosen: argparse.Namespace, folder: str) -> dict[str, Any]:
    """What both sides do."""
    from tests.tiny_model import dialogues

    length = 1024 if chosen.small else 4096
    engine = {"model": folder, "load_format": "dummy", "max_model_len": length, "max_num_seqs": 512, "enable_prefix_caching": True}
    engine |= {"gpu_memory_utilization": 0.1 if chosen.small else 0.9, "dtype": "float32" if chosen.small else "bfloat16"}
    engine |= {"enforce_eager": chosen.small, "override_generation_config": {"top_k": 0, "repetition_penalty": 1.0}}
    texts = list(dict.fromkeys(prompt for prompt, _ in dialogues()))
    sampling = {"temperature": 0.8, "top_p": 0.95, "max_tokens": chosen.max_tokens}
    prompts = [f"{at}. {texts[at % len(texts)]}" for at in range(chosen.prompts)]
    fixed = {"prompts": prompts, "n": chosen.n, "rounds": chosen.rounds, "logprobs": chosen.logprobs}
    return {"engine": engine, "sampling": sampling, **fixed}


def report(plan: dict[str, Any], python: Path, *, small: bool) -> None:
    """Measure both and compare."""
    sides = {"bare engine": bare_elsewhere(plan, python, small=small), "our sampling stage": ours(plan, python, small=small)}
    speeds = {name: statistics.median(tokens / seconds for tokens, seconds in rounds) for name, rounds in sides.items()}
    print(f"{'':20} {'tokens a round':>15} {'seconds (median)':>17} {'tokens/s':>10}")
    for name, rounds in sides.items():
        tokens, seconds = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:20} {tokens:15,.0f} {seconds:17.2f} {speeds[name]:10,.0f}")
    share = speeds["our sampling stage"] / speeds["bare engine"]
    print(
        f"ours / bare: {share:.1%}"
        + (" (small shape on a CPU: proves the script, no claim)" if small else " (wanted: at least 95 %)")
    )


if __name__ == "__main__":
    main()
