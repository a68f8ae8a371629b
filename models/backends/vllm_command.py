"""How vLLM's server is called, and what can be refused before anything is loaded.

Sampling settings that a model's own generation_config.json would add (top_k, repetition_penalty) are neutralised, its end-of-text
tokens stay.
"""

from __future__ import annotations

import json
from pathlib import Path

from models.backend_config import VllmConfig
from models.errors import BackendUnavailable, InputError

ADAPTER = "adapter"
"""Name under which a LoRA adapter is served, beside the model itself."""
NEUTRAL = {"top_k": 0, "repetition_penalty": 1.0, "min_p": 0.0}


def command(config: VllmConfig, port: int) -> list[str]:
    """The server's command line (``vllm serve`` does not start from the CPU build, the module does)."""
    options = {
        "--host": "127.0.0.1",
        "--port": port,
        "--model": _absolute(config.model),
        "--served-model-name": config.model,
        "--tensor-parallel-size": config.tensor_parallel,
        "--gpu-memory-utilization": config.gpu_memory_utilization,
        "--max-model-len": config.max_model_len,
        "--max-num-seqs": config.max_num_seqs,
        "--dtype": config.dtype,
        "--override-generation-config": json.dumps(NEUTRAL),
        "--uvicorn-log-level": "warning",
    }
    if config.revision:
        options["--revision"] = config.revision
    if config.chat_template:
        options["--chat-template"] = config.chat_template.resolve()
    if config.lora:
        options |= {"--lora-modules": f"{ADAPTER}={config.lora.resolve()}", "--max-lora-rank": lora_rank(config.lora)}
    flags = ["--enable-prefix-caching" if config.prefix_caching else "--no-enable-prefix-caching"]
    flags += ["--enable-lora"] * bool(config.lora) + ["--enable-sleep-mode"] * config.sleep
    # absolute, not resolved: an environment's interpreter is a link, and its place says which environment it is
    python = str(config.python.expanduser().absolute())
    listed = [str(part) for pair in options.items() for part in pair]
    return [python, "-m", "vllm.entrypoints.openai.api_server", *listed, *flags, *config.extra_args]


def lora_rank(adapter: Path) -> int:
    """The rank that the server must make room for. Raises InputError for a folder that holds no adapter."""
    file = adapter / "adapter_config.json"
    try:
        rank = int(json.loads(file.read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"field 'lora': {file}: expected an adapter in PEFT's format, with its rank 'r'") from None
    return next((size for size in (8, 16, 32, 64, 128, 256, 320, 512) if size >= rank), rank)


def check_environment(config: VllmConfig) -> None:
    """Raises BackendUnavailable where the other environment is not there."""
    if not config.python.expanduser().exists():
        raise BackendUnavailable(f"{config.python}: no environment with vLLM; make it: `make gpu-env`, or set 'python' to one")


def check_folder(config: VllmConfig) -> None:
    """Raises InputError for a folder that is not there or has no chat template; of the hub it is only known once it is loaded."""
    folder = Path(config.model).expanduser()
    if config.chat_template and not config.chat_template.is_file():
        raise InputError(f"field 'chat_template': {config.chat_template}: expected a Jinja file")
    if config.model.startswith(("/", "./", "../", "~")) and not folder.is_dir():
        raise InputError(f"field 'model': {config.model}: expected a folder of weights; there is none")
    if folder.is_dir() and not config.chat_template and not _has_template(folder):
        raise InputError(
            f"field 'model': {folder} has no chat template; set 'chat_template' to a Jinja file, or use an instruct model"
        )


def _has_template(folder: Path) -> bool:
    if any((folder / name).exists() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    try:
        return "chat_template" in json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _absolute(model: str) -> str:
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() else model
