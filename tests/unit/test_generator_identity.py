"""Who draws, by content: what changes the draws changes the identity, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.backend_config import Sampling, TransformersConfig, VllmConfig
from models.backends.engine_pool import EnginePool
from models.backends.identity import draw_key
from models.backends.transformers_local import TransformersGenerator
from models.backends.vllm_managed import VllmGenerator
from models.backends.weights import BLOCK, BLOCKS, weights_digest
from models.errors import InputError


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(3 * BLOCK * BLOCKS))
    return folder


def key(tmp_path: Path, **fields: object) -> str:
    python = tmp_path / "python"
    python.touch()
    config = VllmConfig.model_validate({"model": "m/m", "python": python, **fields})
    return draw_key(VllmGenerator(config, EnginePool(), tmp_path).identity, "prompt", 0)


def test_an_adapter_a_template_and_options_are_part_of_who_draws(tmp_path: Path, weights: Path) -> None:
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages }}")
    fields = ({}, {"lora": weights}, {"chat_template": template}, {"extra_args": ("--quantization", "fp8")}, {"dtype": "float16"})
    assert len({key(tmp_path, **one) for one in fields}) == len(fields)
    before = key(tmp_path, chat_template=template)
    template.write_text("{{ messages[0] }}")
    assert key(tmp_path, chat_template=template) != before


def test_where_and_how_fast_it_runs_is_no_part_of_it(tmp_path: Path) -> None:
    alike = ({}, {"tensor_parallel": 2}, {"max_num_seqs": 8}, {"concurrency": 99}, {"gpu_memory_utilization": 0.5}, {"sleep": True})
    assert len({key(tmp_path, **one) for one in alike}) == 1
    assert key(tmp_path, sampling=Sampling(temperature=0.1)) != key(tmp_path)


def test_a_folder_is_known_by_what_is_in_it(tmp_path: Path, weights: Path) -> None:
    before, of_run = weights_digest(weights), TransformersGenerator(TransformersConfig(model=str(weights))).identity
    moved = weights.rename(tmp_path / "moved")
    (moved / "events.log").write_text("a trainer's")
    assert weights_digest(moved) == before
    with (moved / "model.safetensors").open("r+b") as file:
        file.seek(2 * BLOCK * BLOCKS)
        file.write(b"\1" * 4 * BLOCK)
    assert weights_digest(moved) != before
    moved.rename(weights)
    assert TransformersGenerator(TransformersConfig(model=str(weights))).identity != of_run


def test_an_adapter_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: cannot be read"):
        key(tmp_path, lora=tmp_path / "nowhere")
