"""Every command says what it is for, shows an example and explains its options; examples of the help and README are understood."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from flows.cli.app import app

ROOT = get_command(app)
EXAMPLE = re.compile(r"^ *Example: (coderm .*)$", re.MULTILINE)


def commands(command: Any = ROOT, name: str = "coderm") -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield name, command
    for part, one in inner.items():
        yield from commands(one, f"{name} {part}")


COMMANDS = dict(commands())


def understood(line: str) -> bool:
    """Whether the line names a command and its options parse; raises what the command line would say."""
    words = shlex.split(line, comments=True)
    words = words[: next((at for at, word in enumerate(words) if word in (";", "|", "&&", ">")), len(words))]
    command = ROOT
    for at, word in enumerate(words[1:], 1):
        inner = getattr(command, "commands", {})
        if not inner:
            command.make_context(words[at - 1], words[at:])
            return True
        command = inner[word]
    command.make_context(words[-1], [])
    return True


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str) -> None:
    command = COMMANDS[name]
    first, *rest = command.help.strip().split("\n")
    assert first.endswith((".", '"statement".')), first
    assert "Example" not in first
    assert len(first) <= 125
    assert any(line.strip().startswith("Example: coderm ") for line in rest), "an example"
    bare = [option.name for option in command.params if not getattr(option, "help", None)]
    assert not bare
    swallowed = [option.name for option in command.params if re.search(r"\[[a-z#/@]", option.help)]
    assert not swallowed, "rich reads it as markup and shows nothing"


@pytest.mark.parametrize("name", COMMANDS)
def test_its_examples_are_understood(name: str) -> None:
    for example in EXAMPLE.findall(COMMANDS[name].help):
        assert example.startswith(f"{name} ") or example == name
        assert understood(example)


def test_commands_of_the_readme_are_understood(repo_root: Path) -> None:
    text = (repo_root / "README.md").read_text().replace("\\\n", " ")
    lines = re.findall(r"^\$ (?:[A-Z_]+=\S+ )*(coderm .*)$", text, re.MULTILINE)
    assert len(lines) >= 10
    assert all(understood(line.replace("…", "b4")) for line in lines)
