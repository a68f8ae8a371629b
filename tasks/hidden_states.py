"""A run's problems → hidden states of its policy, as the file that the difficulty probe learns from (``difficulty_files``)."""

from __future__ import annotations

import json
from pathlib import Path

from models.backend_config import TransformersConfig, VllmConfig
from models.backends.hidden_states import states_by_transformers, states_by_vllm
from models.config import RunConfig
from models.errors import InputError
from models.prompts import solution_prompt
from models.replaced_file import replacing
from models.types import Problem
from tasks.difficulty_files import save_states
from tasks.jsonl import read_lines
from tasks.progress import progress_bar, say
from tasks.settings import load_settings


def write_states(config: RunConfig, out: Path) -> dict[str, int]:
    """Write H for every problem of the benchmark. Returns its shape by name. Raises InputError, BackendUnavailable."""
    policy = config.policy
    if not isinstance(policy, TransformersConfig | VllmConfig):
        raise InputError(f"field 'policy.type': {policy.type!r} gives no hidden states; expected 'transformers' or 'vllm'")
    problems = list(read_lines(config.benchmark.problems, Problem))[: config.benchmark.limit]
    if not problems:
        raise InputError(f"{config.benchmark.problems}: no problem, so nothing to write")
    prompts = {problem.task_id: solution_prompt(problem, policy.prompt) for problem in problems}
    if isinstance(policy, TransformersConfig):
        stream = states_by_transformers(policy, prompts)
    else:
        stream = states_by_vllm(policy, prompts, load_settings().root, say)
    states = {}
    with replacing(out) as file:  # before the model starts: a place that cannot be written costs no hour of it
        with progress_bar("hidden states", len(prompts)) as advance:
            for task, state in stream:
                states[task] = state
                advance(1)
        layers, tokens, width = next(iter(states.values())).shape
        names = [str(layer) for layer in range(layers)] if isinstance(policy, TransformersConfig) else ["last"]
        save_states(file, states, model=policy.model, layers=json.dumps(names), tokens=json.dumps(["last of the prompt"]))
    return {"problems": len(states), "layers": layers, "tokens": tokens, "width": width}
