"""A model of the transformers library, loaded: shared by sampling and hidden states. Faults become one line each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from models.errors import BackendUnavailable, InputError

EXTRA = "pip install 'coderm-flows[local]'"


@dataclass(frozen=True)
class LoadedModel:
    """Weights and tokenizer on one device. ``ends``: tokens that end an answer. ``context``: tokens that it was made for."""

    model: Any
    tokenizer: Any
    device: Any
    pad: int
    ends: frozenset[int]
    context: int

    def prompt_tokens(self, prompt: str, *, generation_prompt: bool = True) -> list[int]:
        """One user message in the model's chat template."""
        message = [{"role": "user", "content": prompt}]
        text = self.tokenizer.apply_chat_template(message, add_generation_prompt=generation_prompt, tokenize=False)
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)


def load(name: str, revision: str | None, device: str, dtype: str) -> LoadedModel:
    """Load to ``device`` ("auto": a GPU where there is one). Raises BackendUnavailable, InputError."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise BackendUnavailable(f"type 'transformers' needs the extra [local] ({error.name} is missing): {EXTRA}") from None
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, padding_side="left")
        if tokenizer.chat_template is None:
            raise InputError(f"field 'model': {name} has no chat template; use an instruct model")
        with out_of_memory(name, "use a smaller dtype, another device, or type 'vllm' with tensor_parallel"):
            model = AutoModelForCausalLM.from_pretrained(name, revision=revision, dtype=dtype).to(torch.device(place)).eval()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"field 'model': {name!r} could not be loaded ({said}); expected a folder of weights, or a name on the hub"
        ) from None
    except (RuntimeError, AssertionError) as error:  # what torch raises for a device that is not there
        if isinstance(error, BackendUnavailable):
            raise
        raise BackendUnavailable(f"field 'device': {place!r}: {' '.join(str(error).split())[:200]}") from None
    ends = model.generation_config.eos_token_id
    ends = frozenset([ends] if isinstance(ends, int) else ends or ([tokenizer.eos_token_id] if tokenizer.eos_token_id else []))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(ends, default=0)
    context = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
    return LoadedModel(model, tokenizer, model.device, pad, ends, int(context))


@contextmanager
def out_of_memory(name: str, advice: str) -> Iterator[None]:
    """Translate the library's errors: a GPU's has a class of its own, a CPU's is told by its words. Raises BackendUnavailable."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "can't allocate memory" not in str(error):
            raise
        said = " ".join(str(error).split())[:200]
        raise BackendUnavailable(f"{name}: out of memory ({said}); {advice}") from None
