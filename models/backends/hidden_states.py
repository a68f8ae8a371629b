"""What a model computes of a prompt before it answers: hidden states for the difficulty probe.

The state is the last prompt token's, where the chat template hands over to the assistant (CodeRM, arXiv 2501.01054, section 3.2).
``transformers`` gives every layer: the embedding (layer 0), each block, the last one after the final norm. vLLM gives that last
layer only, from a pooling engine, which is a second load of the weights; it pays where the model needs several GPUs or has an
adapter. Both give the same numbers up to rounding (tests/integration/test_engines_flow.py).

    states of a prompt (layers, 1, width) float32
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt

from models.backend_config import TransformersConfig, VllmConfig
from models.backends.chat_protocol import error_message
from models.backends.transformers_model import load, out_of_memory
from models.backends.vllm_command import ADAPTER
from models.backends.vllm_server import VllmServer
from models.errors import InputError

States = npt.NDArray[np.float32]
POOLING = (
    *("--runner", "pooling", "--convert", "embed"),
    *("--pooler-config", '{"pooling_type": "LAST", "use_activation": false}'),
)


def states_by_transformers(config: TransformersConfig, prompts: Mapping[str, str]) -> Iterator[tuple[str, States]]:
    """(task id, states) a prompt, one forward pass each. Raises BackendUnavailable, InputError for a prompt that is too long."""
    import torch

    loaded = load(config.model, config.revision, config.device, config.dtype)
    room = min(config.max_model_len, loaded.context)
    for task, prompt in prompts.items():
        tokens = loaded.prompt_tokens(prompt, generation_prompt=config.generation_prompt)
        if len(tokens) > room:
            raise InputError(f"task {task!r}: a prompt of {len(tokens)} tokens does not fit into {room}; raise max_model_len")
        with torch.inference_mode(), out_of_memory(config.model, "use a smaller dtype, or type 'vllm' with tensor_parallel"):
            inputs = torch.tensor([tokens], device=loaded.device)
            layers = loaded.model(input_ids=inputs, output_hidden_states=True, use_cache=False, logits_to_keep=1).hidden_states
        yield task, np.stack([layer[0, -1:].float().cpu().numpy() for layer in layers])


def states_by_vllm(
    config: VllmConfig, prompts: Mapping[str, str], state: Path, say: Callable[[str], None]
) -> Iterator[tuple[str, States]]:
    """(task id, states of the last layer) a prompt, in order, many at one time, from a pooling engine.

    Raises BackendUnavailable when the engine does not start or dies, InputError for a prompt that is too long.
    """
    pooling = config.model_copy(update={"extra_args": (*POOLING, *config.extra_args), "sleep": False})
    with (
        VllmServer(pooling, state, say) as server,
        httpx.Client(timeout=config.timeout_s, trust_env=False) as client,
        ThreadPoolExecutor(config.width(1)) as pool,
    ):
        asked = [pool.submit(_embedded, client, server, config, task, prompt) for task, prompt in prompts.items()]
        try:
            yield from zip(prompts, (answer.result() for answer in asked), strict=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _embedded(client: httpx.Client, server: VllmServer, config: VllmConfig, task: str, prompt: str) -> States:
    body = {
        "model": ADAPTER if config.lora else config.model,
        "messages": [{"role": "user", "content": prompt}],
        "add_generation_prompt": config.generation_prompt,
        "encoding_format": "float",
    }
    try:
        answer = client.post(f"{server.base_url}/embeddings", json=body)
    except httpx.TransportError as error:
        raise server.broke_off(f"task {task!r}: {error}") from None
    if answer.status_code >= 500:
        raise server.broke_off(f"task {task!r}: status {answer.status_code}: {error_message(answer.text)}")
    if answer.status_code != 200:
        raise InputError(f"{config.model}: task {task!r}: {error_message(answer.text)}")
    return np.asarray(answer.json()["data"][0]["embedding"], dtype=np.float32)[None, None, :]
