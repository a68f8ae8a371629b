"""What MLflow's registry shows of a reward-model version: its tags, and descriptions for people."""

from __future__ import annotations

import json
import math

from models.reward_version import RewardVersion
from models.run_record import RunRecord
from tasks import model_registry as registry
from tasks.tracking_payload import datasets

ABOUT = """Reward models for generated code: a test generator, a selector, a budget, a difficulty probe, limits of a cell.

* **champion** is in use; **challenger** is the newest version that is not
* `coderm compare champion challenger`: both on the same candidates and cells, in the experiments `comparisons · BENCHMARK`
* `coderm models promote challenger` is refused unless it is not worse; the evidence is in the tag `coderm.promotion`
"""


def version_tags(run: RunRecord, version: RewardVersion) -> dict[str, str]:
    """What a version says of itself in the registry: its JSON, its digest, its run, and digests of what it was evaluated on."""
    return {
        registry.VERSION_TAG: version.model_dump_json(),
        registry.DIGEST_TAG: version.digest,
        registry.RUNS_TAG: json.dumps([run.run_id]),
        "benchmark": run.benchmark,
        "selector": version.selector,
        "generator": version.generator.model,
        "generator_revision": version.generator.revision or "unknown",
        "budget_policy": version.budget.policy,
        "prompt_version": version.generator.prompt_version,
        "git_sha": run.provenance.get("git_sha", "unknown"),
        **{f"dataset.{name}": digest for name, digest, _ in datasets(run)},
    }


def describe(run: RunRecord, version: RewardVersion) -> str:
    """Markdown for MLflow's page of the version; its first line stands in the list of versions."""
    figures = [run.metrics.get(f"selector/{version.selector}/pass_1{end}", math.nan) for end in ("", "_lo", "_hi")]
    shown = "undefined" if math.isnan(figures[0]) else "{:.4f} [{:.4f}, {:.4f}]".format(*figures)
    return "\n".join(
        (
            f"{version.name}\n",
            f"* test generator: {version.generator.model}, {version.generator.tests} tests a problem",
            f"* selector {version.selector}, budget {version.budget.policy}, {version.limits.timeout_s:g} s a cell",
            f"* pass@1 {shown} on {run.benchmark}, {len(run.matrices)} problems, run {run.run_id}",
        )
    )
