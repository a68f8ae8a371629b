"""What the log of a vLLM server means: one line, whose fault it is, what to change, and where the log is.

Only lines that are errors are read (the log also repeats every option), the cause rather than what failed because of it. Where no
known fault is among them, the last one is quoted; where there is none, how the process ended.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from models.backend_config import VllmConfig
from models.errors import BackendUnavailable, CodeRMError, InputError

SAID_CHARS = 240
_PREFIX = re.compile(r"^(\(\w[\w-]* pid=\d+\)\s*)?((?P<level>[A-Z]+) \d\d-\d\d [\d:]+ \[[^\]]*\]\s*)?")
_ERROR = re.compile(r"[\w.]*(Error|Exception)\b|Value error, |\S+: error: |\S+: No module named ")
_CONSEQUENCE = re.compile(
    r"Engine core initialization failed|validation errors? for|EngineDeadError|EngineCore encountered|CancelledError"
)


class Fault(NamedTuple):
    """What a log says, whose fault it is, and what to change."""

    said: re.Pattern[str]
    kind: type[CodeRMError]
    line: str


ADAPTER_FAULT = Fault(
    re.compile("lora", re.IGNORECASE),
    InputError,
    "field 'lora': {lora} could not be loaded ({said}); expected a PEFT adapter of this model",
)
FAULTS = (
    Fault(re.compile(r"No module named '?vllm"), BackendUnavailable, "{python}: has no vLLM; make the environment: `make gpu-env`"),
    Fault(
        re.compile(r"GatedRepoError|gated repo"),
        BackendUnavailable,
        "{model}: gated on the hub ({said}); accept its licence there and set HF_TOKEN, which the server inherits",
    ),
    Fault(
        re.compile("CPU Generator does not use offset"),
        InputError,
        "field 'extra_args': vLLM for CPUs draws with seeds only where prompts are computed whole; add --no-enable-chunked-prefill",
    ),
    Fault(
        re.compile(r"larger than (the )?(maximum number of tokens|.*KV cache)|KV cache is needed|No available memory for the"),
        BackendUnavailable,
        "{model}: no room for a context of {length} tokens ({said}); lower max_model_len, or raise gpu_memory_utilization",
    ),
    Fault(
        re.compile(r"out of memory|OutOfMemoryError|MemoryError|"
                   r"(Free memory on device|Available memory on node).*less than"),
        BackendUnavailable,
        "{model}: out of memory ({said}); lower max_model_len, max_num_seqs or gpu_memory_utilization, raise tensor_parallel, "
        "or end what holds the memory",
    ),
    Fault(
        re.compile(r"max_model_len.*(greater than|exceeds)", re.IGNORECASE),
        InputError,
        "field 'max_model_len': {length} is more than {model} was made for ({said})",
    ),
    Fault(
        re.compile(r"World size .* larger than|divisible by tensor parallel size"),
        InputError,
        "field 'tensor_parallel': {tensor_parallel} does not fit ({said}); expected at most the GPUs of this machine, and "
        "a divisor of the model's attention heads",
    ),
    Fault(
        re.compile(r"not a valid model identifier|Repository Not Found|RepositoryNotFound|Invalid repository ID|Repo id must|"
                   r"does not appear to have a file named|LocalEntryNotFound|OfflineModeIsEnabled|couldn't connect to|"
                   r"Cannot find any model weights|SafetensorError"),
        InputError,
        "field 'model': {model!r} could not be loaded ({said}); expected a folder of weights, or a name that the hub has",
    ),
    Fault(re.compile("Sleep mode is not supported"), InputError, "field 'sleep': {said} Expected false on this machine"),
    ADAPTER_FAULT,
    Fault(re.compile(r": error: "), InputError, "field 'extra_args': {extra_args} are refused by vLLM ({said})"),
)  # fmt: skip


def explained(config: VllmConfig, text: str, log: Path, status: int | None = None) -> CodeRMError:
    """The fault that a server's log tells of, as an exception to raise. ``status``: its exit status, 128 + n for signal n."""
    errors = _errors(text)
    facts = config.model_dump(include={"model", "lora", "python", "tensor_parallel"})
    facts |= {"length": config.max_model_len, "extra_args": " ".join(config.extra_args)}
    for fault in FAULTS:
        hit = next((line for line in reversed(errors) if fault.said.search(line)), None)
        if hit is not None and (config.lora or fault is not ADAPTER_FAULT):
            return fault.kind(f"{fault.line.format(said=_short(hit), **facts)}; log: {log}")
    causes = [line for line in errors if not _CONSEQUENCE.search(line)]
    how = _short((causes or errors or [_ending(status)])[-1])
    return BackendUnavailable(f"{config.model}: the vLLM server ended: {how}; log: {log}")


def _errors(text: str) -> list[str]:
    """Lines that are errors, in order, without the prefix that says which process wrote them when."""
    found = []
    for line in text.splitlines():
        prefix = _PREFIX.match(line)
        said = line[prefix.end() :].strip() if prefix else line.strip()
        if _ERROR.match(said) and not (prefix and prefix["level"] in ("INFO", "WARNING", "DEBUG")):
            found.append(said.removeprefix("Value error, ").partition(" [type=")[0])
    return found


def _short(line: str) -> str:
    return shorten(line, SAID_CHARS, placeholder=" …")


def _ending(status: int | None) -> str:
    if status is None or status <= 128:
        return f"status {status}" if status else "it said nothing"
    name = signal.Signals(status - 128).name if status - 128 in set(signal.Signals) else f"signal {status - 128}"
    return f"by {name}" + (", which the kernel sends when the machine runs out of memory" if name == "SIGKILL" else "")
