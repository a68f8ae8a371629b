"""Who draws, and how, as one record: two sample sets with the same identity, prompt and seed are the same draws."""

from __future__ import annotations

import json
from pathlib import Path

from models.backend_config import ModelConfig
from models.backends.weights import weights_digest
from models.fingerprint import digest_json
from models.run_record import GeneratorIdentity

NOT_DRAWN = frozenset({"extraction"})
"""Facts of an identity that decide what is kept of a response, and not what is drawn."""


def identity_of(config: ModelConfig, backend: str, **facts: float | str | None) -> GeneratorIdentity:
    """``facts``: what else of this backend changes the draws, e.g. which server, which adapter."""
    sampling = config.sampling.model_dump(exclude={"stop", "logprobs"})
    return GeneratorIdentity(
        backend=backend,
        model=config.model,
        revision=config.revision,
        prompt_version=config.prompt,
        sampling={
            **sampling,
            "stop": json.dumps(config.sampling.stop) if config.sampling.stop else None,
            "generation_prompt": int(config.generation_prompt),
            "extraction": config.extraction,
            **facts,
        },
    )


def weights_of(config: ModelConfig) -> dict[str, str]:
    """Where ``model`` is a folder of this machine: what lies in it now, since a folder's name does not say."""
    folder = Path(config.model).expanduser()
    return {"weights": weights_digest(folder)} if folder.is_dir() else {}


def draw_key(identity: GeneratorIdentity, prompt_digest: str, seed: int) -> str:
    """Name of a series of draws: sample k of the series is what this model draws for this prompt under ``seed`` + k."""
    sampling = {name: value for name, value in identity.sampling.items() if name not in NOT_DRAWN}
    return digest_json([identity.backend, identity.model, identity.revision, sampling, prompt_digest, seed])
