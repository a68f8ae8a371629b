"""Ground truth: the benchmark's own tests on every solution, through the same sandbox and the same store as generated tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prefect import task

from models.config import RunConfig, SandboxConfig
from models.labelling import Judgement, judge
from models.matrix import MatrixJob, PassMatrix
from models.operations import Operations
from models.types import Labels, Limits, Problem, SolutionSet
from tasks.caching import RETRY_INFRA_ONLY
from tasks.execute_matrix import execute_jobs
from tasks.jsonl import read_lines, write_lines
from tasks.sandbox_stage import sandbox_stage
from tasks.shard import Shard


@task(name="label-solutions", task_run_name="label-{shard.index}", **RETRY_INFRA_ONLY)
def label_solutions(config: RunConfig, shard: Shard) -> Shard:
    """Add the labels that the shard does not have yet. Raises SandboxUnavailable."""
    missing = [s for t, s in shard.solutions.items() if t not in shard.labels]
    if not missing:
        return shard
    limits = Limits(timeout_s=config.label_timeout_s, memory_mib=config.sandbox.limits.memory_mib)
    sandbox = config.sandbox.model_copy(update={"limits": limits})
    judged, done = judge_all(shard.problems, missing, sandbox, f"label shard {shard.index}")
    labels = {**shard.labels, **{j.labels.task_id: j.labels for j in judged}}
    return shard.evolve(labels={t: labels[t] for t in shard.problems}).measured(done)


def label_files(problems: Path, solutions: Path, out: Path, config: SandboxConfig) -> tuple[list[Labels], list[str]]:
    """Write an L file. Returns the labels and notes on inputs that do not count. Raises InputError, SandboxUnavailable."""
    known = {p.task_id: p for p in read_lines(problems, Problem)}
    sets = list(read_lines(solutions, SolutionSet, known, problems))
    judged: list[Judgement] = []

    def lines() -> Iterator[Labels]:  # judged once the place is known to be one that can be written
        judged.extend(judge_all(known, sets, config, "label")[0])
        yield from (j.labels for j in judged)

    write_lines(out, lines())
    dropped, unknown = sum(j.dropped_inputs for j in judged), sum(j.unknown_inputs for j in judged)
    notes = [f"{dropped} inputs dropped: the reference raises on them or takes over 1 s"] if dropped else []
    return [j.labels for j in judged], notes + ([f"{unknown} inputs could not be checked: rerun `coderm label`"] if unknown else [])


def judge_all(
    problems: Mapping[str, Problem], sets: Sequence[SolutionSet], config: SandboxConfig, title: str
) -> tuple[list[Judgement], Operations]:
    """Judge every solution set in one sandbox; and what that measured. Progress is in solutions that are judged."""
    with sandbox_stage(config, "label", title, sum(len(s.solutions) for s in sets)) as stage:

        def execute(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
            return execute_jobs(stage.executor, jobs, stage.cache, counts=stage.counts)

        judged = list(judge(problems, sets, execute, config.limits, stage.advance))
    return judged, stage.operations
