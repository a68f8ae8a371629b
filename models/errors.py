"""Who is to blame, as types. A program that fails is a verdict, never an exception; these are for everything else.

    CodeRMError                      exit  what the user reads
    ├── InputError(ValueError)         2   the input or the configuration is wrong: file, line, field, what was expected
    │   ├── MalformedLine              2   one line of a JSON Lines file
    │   └── PromptTooLong              2   a model cannot read a prompt: its responses are counted as discarded
    ├── UnavailableError(RuntimeError) 3   a part that the job needs is missing or broken
    │   ├── SandboxUnavailable         3   no engine, no image, no runtime
    │   ├── StoreUnavailable           3   the database cannot be reached, or its schema is behind
    │   └── BackendUnavailable         3   a model cannot be reached
    ├── GateFailed(AssertionError)     1   the job ran and the data is bad
    ├── PromotionRefused               1   the comparison ran and does not let a version become champion
    ├── RegressionFound                1   the run went well and is worse than the champion's last good one
    └── ExhaustedError(LookupError)    2   a replay has no more recordings than those it served

Anything else that reaches the command line is ours: exit 4, one line, and where the log is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class CodeRMError(Exception):
    """Root of every error that this product raises on purpose; ``exit_code`` is the command's."""

    exit_code = 4


class InputError(CodeRMError, ValueError):
    """The input or the configuration is wrong. The message is one line and names what was expected."""

    exit_code = 2


class MalformedLine(InputError):
    """One line of a file does not have the shape that its format asks for."""

    def __init__(self, path: Path | str, line: int, field: str, expected: str) -> None:
        """``line`` counts from 1; ``field`` may be empty when the line as a whole is wrong."""
        where = f"{path}:{line}"
        super().__init__(f"{where}: field {field!r}: {expected}" if field else f"{where}: {expected}")
        self.path, self.line, self.field, self.expected = Path(path), line, field, expected

    def __reduce__(self) -> tuple[Any, ...]:
        """It travels from a worker's process as it was raised."""
        return type(self), (self.path, self.line, self.field, self.expected)


class PromptTooLong(InputError):
    """A prompt leaves no room in the model's context, and a shorter one would: the problem's fault, not the configuration's."""


class UnavailableError(CodeRMError, RuntimeError):
    """A part that the job needs is missing or broken. The message ends with the command that mends it."""

    exit_code = 3


class SandboxUnavailable(UnavailableError):
    """No engine answers, the image is missing, or a runtime cannot start."""


class StoreUnavailable(UnavailableError):
    """The database cannot be reached, or its schema is not the one this version writes."""


class BackendUnavailable(UnavailableError):
    """A model cannot be reached."""


class ExhaustedError(InputError, LookupError):
    """A replay was asked for more samples than were recorded. It never invents, repeats or truncates."""


class GateFailed(CodeRMError, AssertionError):
    """A validation gate did not hold; the run stops and what was found is in ``failures``."""

    exit_code = 1

    def __init__(self, gate: str, failures: Sequence[Mapping[str, object]]) -> None:
        """``failures``: one mapping an expectation that failed: expectation, meaning, column, unexpected, sample, open."""
        found = [f"{f['unexpected']:.4g}" if isinstance(f["unexpected"], float) else str(f["unexpected"]) for f in failures]
        shown = "; ".join(f"{f['meaning']} ({f['column']}) unexpected={x}" for f, x in zip(failures, found, strict=True))
        ways = [f["open"] for f in failures if f.get("open")]
        first = f"; open {ways[0][0]}" if ways and isinstance(ways[0], list) else ""
        super().__init__(f"gate {gate}: {len(failures)} expectations failed: {shown}{first}")
        self.gate, self.failures = gate, tuple(failures)

    def __reduce__(self) -> tuple[Any, ...]:
        """It travels from a worker's process as it was raised."""
        return type(self), (self.gate, self.failures)


class PromotionRefused(CodeRMError):
    """The comparison with the champion does not show "not worse"; the message says what was found."""

    exit_code = 1


class RegressionFound(CodeRMError):
    """Tonight's run is worse than the champion's last good one by more than noise and the margin explain."""

    exit_code = 1
