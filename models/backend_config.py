"""Which model draws samples, and how: one strict class a backend, told apart by ``type``.

A class holds only what its backend reads; what every live backend reads stands in ``ModelConfig``. No class has a place for a
secret: an API key comes from the environment (tasks/settings.py) and is named here, never held.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from models.config_form import Config

PromptVersion = Literal["coderm-1", "lcb-1", "plain-1"]
"""Literal texts in models/prompts.py: CodeRM's own; LiveCodeBench's official one; the statement alone."""
ExtractionVersion = Literal["coderm-1", "ast-2"]
"""From response to program: exactly as CodeRM's scripts do it, or by the syntax tree (models/extraction)."""

MOST_REQUESTS = 512
"""At a server of ours at one time, unless told: each waits in a thread."""
SECRET = re.compile(r"(token|key|key.id|secret|password)$", re.IGNORECASE)
"""Names of variables and options whose values are secrets."""


class ReplayConfig(Config):
    """Recorded solutions or tests from a JSON Lines file, in order; the run stops when they run out."""

    model_config = ConfigDict(title="Recordings")
    type: Literal["replay"] = "replay"
    path: Path = Field(title="File", description="S file for solutions, T file for tests")
    model: str = Field("recorded", description="who drew the recordings, for the books")


class Sampling(Config):
    """How tokens are drawn. The defaults are CodeRM's (arXiv 2501.01054, Table 4, and its repository's configuration)."""

    temperature: float = Field(0.8, ge=0, le=2, description="0: always the likeliest token")
    top_p: float = Field(0.95, gt=0, le=1, description="draw among the likeliest tokens that together have this probability")
    max_tokens: int = Field(2048, ge=1, description="tokens a response; a longer one is cut, and counted as truncated")
    frequency_penalty: float = Field(0.0, ge=-2, le=2, description="against tokens that came often already")
    presence_penalty: float = Field(0.0, ge=-2, le=2, description="against tokens that came already")
    stop: tuple[str, ...] = Field((), max_length=4, description="texts that end a response")
    logprobs: bool = Field(True, description="ask for log-probabilities: the mean of a sample is stored with it")


class Price(Config):
    """What sampling costs, for the report: by tokens, by the hour of the machine, or both."""

    per_million_in: float = Field(0.0, ge=0, description="for a million prompt tokens")
    per_million_out: float = Field(0.0, ge=0, description="for a million sampled tokens")
    per_hour: float = Field(0.0, ge=0, description="for an hour in which the model is at work, e.g. the price of a GPU hour")
    currency: str = Field("USD", min_length=1, max_length=8, description="of the three prices")


class ModelConfig(Config):
    """What every live backend reads."""

    model: str = Field(min_length=1, description="name or folder of the weights, or the name that the server gives it")
    revision: str | None = Field(None, description="commit of the weights, for the books and for loading")
    prompt: PromptVersion = Field("coderm-1", description="CodeRM's words, LiveCodeBench's official ones, or the statement alone")
    extraction: ExtractionVersion = Field(
        "ast-2", description="from response to program: by the syntax tree, or to the letter as CodeRM's scripts do it"
    )
    generation_prompt: bool = Field(
        True, description="end the chat template with the assistant's header; CodeRM's own script leaves it out"
    )
    sampling: Sampling = Field(Sampling(), description="how tokens are drawn; the defaults are CodeRM's")
    price: Price = Field(Price(), description="what sampling costs, for the report: by tokens, by the hour, or both")


class ServedConfig(ModelConfig):
    """What everything that speaks the OpenAI protocol reads, whoever started the server."""

    concurrency: int | None = Field(
        None, ge=1, le=4096, description="requests at the server at one time; default: 16, or what fills a server of ours twice"
    )
    n_a_request: int | None = Field(
        None, ge=1, title="Samples a request", description="samples a request at most; default: all n in one, as vLLM likes best"
    )
    logprob_samples: int | None = Field(
        None, ge=1, description="samples a problem at most whose log-probabilities are asked for, the first ones; default: all"
    )
    timeout_s: float = Field(600, gt=0, le=86_400, description="seconds without an answer after which a request is tried again")
    connect_timeout_s: float = Field(10, gt=0, le=600, description="seconds until a server that does not answer counts as gone")
    attempts: int = Field(6, ge=1, le=100, description="tries a request, with back-off, where the server is busy or broken")
    max_wait_s: float = Field(60, gt=0, le=3600, description="longest back-off, also where the server asks for more")

    def width(self, n: int) -> int:  # noqa: ARG002 - a server of ours minds
        """Requests at the server at one time where each asks for ``n`` samples: others may share it, so few unless told."""
        return self.concurrency or 16


class OpenAIConfig(ServedConfig):
    """A server that runs already and speaks the OpenAI protocol (vLLM, SGLang, llama.cpp, a hosted service)."""

    model_config = ConfigDict(title="OpenAI server")
    type: Literal["openai"] = "openai"
    base_url: str = Field("http://127.0.0.1:8000/v1", pattern=r"^https?://[^\s@?#]+$", description="up to and including /v1")
    api_key: str = Field(
        "openai", pattern=r"^[a-z][a-z0-9_]*$", description="NAME of the key: its value is in the variable CODERM_<NAME>_API_KEY"
    )

    @field_validator("api_key", mode="before")
    @classmethod
    def _is_a_name(cls, value: object) -> object:
        if isinstance(value, str) and not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise ValueError(
                "expected the NAME of a key in small letters, as openai: its value is in the variable CODERM_<NAME>_API_KEY"
            )
        return value

    vllm_extras: bool = Field(True, description="send fields that only vLLM knows; off for services that refuse unknown ones")

    @model_validator(mode="after")
    def _template_is_the_servers(self) -> OpenAIConfig:
        if not self.generation_prompt and not self.vllm_extras:
            raise ValueError("generation_prompt = false is a field that only vLLM knows; it goes with vllm_extras = true")
        return self


class VllmConfig(ServedConfig):
    """A vLLM server that the run starts in an environment of its own (make gpu-env), and stops."""

    model_config = ConfigDict(title="vLLM")
    type: Literal["vllm"] = "vllm"
    logprob_samples: int | None = Field(
        8,
        ge=1,
        description="samples a problem at most whose log-probabilities are asked for, the first ones, beside the others; such a "
        "token costs vLLM's HTTP process three times as much",
    )
    timeout_s: float = Field(
        3600,
        gt=0,
        le=86_400,
        description="seconds without an answer after which a request is tried again; it waits for those before it",
    )
    python: Path = Field(Path(".venv-vllm/bin/python"), description="interpreter of the environment that has vLLM")
    lora: Path | None = Field(None, description="adapter to sample with, on top of the weights")
    tensor_parallel: int = Field(1, ge=1, le=64, description="GPUs that share the weights")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1, description="share of the GPU's memory that vLLM may take")
    max_model_len: int = Field(4096, ge=16, description="prompt and response together, in tokens")
    max_num_seqs: int = Field(512, ge=1, description="responses at one time")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field("auto", description="numbers of the weights; auto: as stored")
    sleep: bool = Field(False, description="sleep mode: the weights leave the GPU between rounds, and come back without a restart")
    prefix_caching: bool = Field(True, description="compute a prompt once for all its samples")
    chat_template: Path | None = Field(None, description="Jinja file, for weights that bring none")
    start_timeout_s: float = Field(1800, gt=0, le=7200, description="seconds for the server to download, load and answer")
    variables: dict[str, str] = Field(default_factory=dict, description="environment of the server, e.g. CUDA_VISIBLE_DEVICES")
    extra_args: tuple[str, ...] = Field((), description="further options of vLLM's server, word by word")

    def width(self, n: int) -> int:
        """The server is ours alone: enough for all its places, and as many again, so that none is empty while answers are read."""
        return self.concurrency or min(MOST_REQUESTS, -(-2 * self.max_num_seqs // n))

    @model_validator(mode="after")
    def _holds_no_secret(self) -> VllmConfig:
        options = [option.partition("=")[0] for option in self.extra_args]
        for name in (*self.variables, *options):
            if SECRET.search(name):
                raise ValueError(
                    f"{name} is a secret, which a run's record would keep; set the variable (HF_TOKEN for gated weights) in the "
                    "environment of the run, which the server inherits"
                )
        return self


class TransformersConfig(ModelConfig):
    """The transformers library in this process (extra [local]): for a CPU, or where there is no vLLM."""

    model_config = ConfigDict(title="transformers")
    type: Literal["transformers"] = "transformers"
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field("auto", description="numbers of the weights; auto: as stored")
    batch_size: int = Field(16, ge=1, description="responses at one time")
    max_model_len: int = Field(4096, ge=16, description="prompt and response together, in tokens")

    @model_validator(mode="before")
    @classmethod
    def _takes_no_adapter(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("lora") is not None:
            raise ValueError(
                "'lora': type 'transformers' takes no adapter; expected type 'vllm', or a model that the adapter was merged into"
            )
        return data


LiveConfig = OpenAIConfig | VllmConfig | TransformersConfig


def _replay_by_default(value: Any) -> Any:
    """A table without ``type`` is a recording, as it was when there was nothing else."""
    return {"type": "replay", **value} if isinstance(value, dict) else value


BackendConfig = Annotated[
    Annotated[ReplayConfig | OpenAIConfig | VllmConfig | TransformersConfig, Field(discriminator="type")],
    BeforeValidator(_replay_by_default),
]
