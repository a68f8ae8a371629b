"""A run's problems → hidden states of its policy, as the file that the difficulty probe learns from (``difficulty_files``)."""

from __future__ import annotations

import json
from pathlib import Path

from models.backend_config import TransformersConfig, VllmConfig
from models.backends.hidden_states import states_by_transformers, states_by_vllm
from models.config import RunConfig
from models.errors import InputError
from models.prompts import solution_prompt
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
    prompts = {problem.task_id: solution_prompt(problem, policy.prompt) for problem in problems}
    if isinstance(policy, TransformersConfig):
        stream = states_by_transformers(policy, prompts)
    else:
        stream = states_by_vllm(policy, prompts, load_settings().root, say)
    states = {}
    with progress_bar("hidden states", len(prompts)) as advance:
        for task, state in stream:
            states[task] = state
            advance(1)
    if not states:
        raise InputError(f"{config.benchmark.problems}: no problem, so nothing to write")
    layers, tokens, width = next(iter(states.values())).shape
    names = [str(layer) for layer in range(layers)] if isinstance(policy, TransformersConfig) else ["last"]
    save_states(out, states, model=policy.model, layers=json.dumps(names), tokens=json.dumps(["last of the prompt"]))
    return {"problems": len(states), "layers": layers, "tokens": tokens, "width": width}
