"""coderm states: what the policy computes of each statement, for the difficulty probe."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import print_json


def states(
    config: Annotated[Path, typer.Argument(help="TOML file of a run; its policy is of type transformers or vllm")],
    out: Annotated[Path, typer.Option("--out", help="safetensors file, for coderm calibrate difficulty --states")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY.SUB=VALUE", help="override one value, repeatable")] = None,
) -> None:
    """Write what the policy model computes of each statement, for `coderm calibrate difficulty --type probe`.

    Hidden states of the last prompt token: every layer with transformers, the last one with vLLM.

    Example: coderm states nightly.toml --set policy.type=transformers --out states.safetensors
    """
    from tasks.hidden_states import write_states
    from tasks.read_config import read_config

    print_json({**write_states(read_config(config, set_ or []), out), "out": str(out.resolve())})
