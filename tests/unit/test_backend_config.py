"""Every backend has one strict class; what is wrong in a run's table is one line that names the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from models.backend_config import BackendConfig, LiveConfig, OpenAIConfig, ReplayConfig, VllmConfig
from models.config import RunConfig
from models.errors import InputError
from tasks.read_config import read_config

ADAPTER: TypeAdapter[Any] = TypeAdapter(BackendConfig)


@pytest.mark.parametrize("kind", get_args(LiveConfig))
def test_each_type_is_its_own_class_and_refuses_what_it_does_not_read(kind: type[OpenAIConfig]) -> None:
    name = kind.model_fields["type"].default
    table = {"type": name, "model": "m"}
    assert type(ADAPTER.validate_python(table)) is kind
    assert ADAPTER.validate_json(kind(model="m").model_dump_json()) == kind(model="m")
    for wrong in ({"path": "x"}, {"api_kex": "x"}, {"sampling": {"temperature": 3}}, {"extraction": "best"}, {"model": ""}):
        with pytest.raises(ValidationError):
            ADAPTER.validate_python({**table, **wrong})


def test_a_table_without_type_is_a_recording() -> None:
    assert ADAPTER.validate_python({"path": "s.jsonl"}) == ReplayConfig(path=Path("s.jsonl"))


def test_sampling_is_the_papers_unless_said() -> None:
    sampling = OpenAIConfig(model="m").sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.8, 0.95, 2048)
    assert (sampling.frequency_penalty, sampling.presence_penalty) == (0, 0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('type = "gpu"', "field 'policy': type = 'gpu': expected one of 'replay', 'openai'"),
        ('type = "openai"', r"field 'policy.model'"),
        ('type = "openai"\nmodel = "m"\nkey = "secret"', r"field 'policy.key': no such field"),
        ('type = "openai"\nmodel = "m"\napi_key = "sk-ABC"', r"field 'policy.api_key': expected the NAME of a key"),
        ('type = "transformers"\nmodel = "m"\nlora = "ad"', r"'lora': type 'transformers' takes no adapter; expected type 'vllm'"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, table: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f'[benchmark]\nname = "b"\nproblems = "p.jsonl"\n[tests]\npath = "t.jsonl"\n[policy]\n{table}\n')
    with pytest.raises(InputError, match=said) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)
    assert "policy" in RunConfig.model_fields


def test_an_adapter_and_a_template_lie_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        '[benchmark]\nname = "b"\nproblems = "p.jsonl"\n[policy]\npath = "s.jsonl"\n'
        '[tests]\ntype = "vllm"\nmodel = "m/m"\nlora = "adapters/one"\nchat_template = "t.jinja"\n'
    )
    tests = read_config(path).tests
    assert isinstance(tests, VllmConfig)
    assert (tests.lora, tests.chat_template, tests.model) == (tmp_path / "adapters/one", tmp_path / "t.jinja", "m/m")
