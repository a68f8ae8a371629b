"""Real engines for tests: one vLLM server a worker, an adapter beside its base model, and the same weights in transformers.

The weights are tests/tiny_model.py's. Fixtures: tests/engine_fixtures.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.backend_config import OpenAIConfig, Sampling, VllmConfig
from models.backends.engine_pool import EnginePool
from models.backends.openai_compat import OpenAIGenerator
from models.run_record import GenerationRequest, Sample
from tests.tiny_model import SHAPE

ROOT = Path(__file__).resolve().parent.parent
MARKS = [
    pytest.mark.engines,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("default"),  # foreign servers and torch in one process, each with deprecations of its own
]
RANK = 8


def live(kind: str, model: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "model": model, "sampling": {"max_tokens": 300}, **more}


def managed(model: str, **more: Any) -> dict[str, Any]:
    """On a CPU: a small cache, nothing compiled, no worker beside the engine's core, no thread bound to somebody else's core.

    Prompts whole: the engine ends with "CPU Generator does not use offset" where a step has room for half a seeded prompt only.
    """
    variables = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    options = ["--enforce-eager", "--no-enable-chunked-prefill", "--kv-cache-memory-bytes", str(64 << 20)]
    small = {"max_model_len": 1024, "max_num_seqs": 32, "dtype": "float32", "extra_args": options}
    return live("vllm", model, python=str(ROOT / ".venv-vllm" / "bin" / "python"), variables=variables, **{**small, **more})


def write_adapter(folder: Path, seed: int = 0) -> Path:
    """A LoRA adapter of random weights in PEFT's format, for the tiny model's attention."""
    import numpy as np
    from safetensors.numpy import save_file

    width = SHAPE["hidden_size"]
    keys = width * SHAPE["num_key_value_heads"] // SHAPE["num_attention_heads"]
    drawn = np.random.default_rng(seed)
    tensors = {}
    for layer in range(SHAPE["num_hidden_layers"]):
        for module, out in (("q_proj", width), ("v_proj", keys)):
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{name}.lora_A.weight"] = drawn.normal(0, 0.2, (RANK, width)).astype(np.float32)
            tensors[f"{name}.lora_B.weight"] = drawn.normal(0, 0.2, (out, RANK)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    facts = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": ["q_proj", "v_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(facts))
    return folder


class Engine:
    """A vLLM server that serves the tiny model under its folder's name, and an adapter. ``pool`` keeps it for other users."""

    def __init__(self, config: VllmConfig, pool: EnginePool, url: str) -> None:
        self.config, self.pool, self.url = config, pool, url

    def drawn(self, *requests: GenerationRequest, model: str | None = None, **sampling: Any) -> dict[str, list[Sample]]:
        """Task id → samples, by the base model where no other name of the server is given."""
        chosen = OpenAIConfig(model=model or self.config.model, base_url=self.url, sampling=Sampling(**sampling))
        with OpenAIGenerator.of(chosen, None) as generator:
            return {g.task_id: list(g.samples) for g in generator.generate(requests)}
