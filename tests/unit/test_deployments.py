"""infra/prefect.yaml: every entry loads, its parameters are what its flow takes, its crons are crons, its files are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.errors import InputError
from tasks.deployments import deployments_file, read_deployments


def test_every_flow_loads_and_takes_its_parameters(repo_root: Path) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    from flows.serving import flow_of

    entries = read_deployments(repo_root / "infra/prefect.yaml")
    assert {"nightly", "benchmark", "shard", "weekly-comparison", "promote"} <= {e.name for e in entries}
    for entry in entries:
        flow = flow_of(entry)
        if entry.name == "shard":  # a run gives it its order
            continue
        taken = flow.validate_parameters(dict(entry.parameters))
        config = taken.get("config")
        if config is not None:
            assert all(p.is_file() for p in (config.benchmark.problems, config.policy.path, config.tests.path))
        for cron, timezone in entry.crons:
            assert CronSchedule(cron=cron, timezone=timezone).cron == cron
        assert entry.description


def test_the_form_is_the_schema_of_a_run(repo_root: Path) -> None:
    from flows.serving import flow_of

    (nightly,) = read_deployments(repo_root / "infra/prefect.yaml", ["nightly"])
    schema = flow_of(nightly).parameters.model_dump()
    definitions = schema["definitions"]
    assert {"config", "version", "margin", "alpha"} <= set(schema["properties"])
    assert definitions["RunConfig"]["properties"]["n_solutions"]["minimum"] == 1
    assert "docker" in str(definitions["SandboxConfig"]["properties"]["runtime"])


def test_a_person_can_read_every_field_of_the_form() -> None:
    """Sections have a title and say what they are for, or their class does; a value that is not set is a tab of its own."""
    from models.config import RunConfig

    schema = RunConfig.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        assert model["description"]
        assert "Config" not in model["title"]
        fields = model["properties"]
        kept = sorted(fields, key=lambda name: (len(name), name))  # PostgreSQL's JSONB
        assert sorted(kept, key=lambda name: fields[name].get("position", 0)) == [*fields], "the form's order"
        for name, field in model["properties"].items():
            assert name == "type" or "description" in field or "$ref" in field, (model["title"], name)
            assert "``" not in field.get("description", model["description"])
            assert "const" not in field or field["enum"] == [field["const"]] == [field["default"]]
    limit = schema["$defs"]["BenchmarkConfig"]["properties"]["limit"]["anyOf"]
    assert [(tab["type"], tab["title"]) for tab in limit] == [("integer", "set"), ("null", "not set")]
    titles = {name: schema["$defs"]["OpenAIConfig"]["properties"][name]["title"] for name in ("max_wait_s", "base_url")}
    assert titles == {"max_wait_s": "Max wait, seconds", "base_url": "Base URL"}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("deployments: [{name: x, entrypoint: 'os:system'}]", "field 'entrypoint'"),
        ("deployments: [{name: x, entrypoint: 'flows/a.py:a', schedules: [{interval: 3}]}]", "field 'schedules'"),
        ("deployments: [{entrypoint: 'flows/a.py:a'}]", "expected a list of deployments"),
        ("deployments: 3", "expected a list of deployments"),
        ("deployments:\n- [", r"yaml:2: no YAML: .*expected a list of deployments"),
        ("\0", "no YAML: .*expected a list of deployments"),
        ("x", r"yaml: expected a list of deployments"),
    ],
)
def test_a_wrong_file_names_entry_and_field(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "infra" / "prefect.yaml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match=f"^[^\n]*{match}[^\n]*$"):
        read_deployments(path)


def test_files_and_names_that_are_not_there(tmp_path: Path, repo_root: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        deployments_file(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="no deployment 'hourly'; expected one of nightly"):
        read_deployments(repo_root / "infra/prefect.yaml", ["hourly"])


def test_every_flow_that_is_deployed_is_watched_for_silence(repo_root: Path) -> None:
    """A run of a flow that the automation does not name stays Running for ever once its machine is gone."""
    from flows.serving import flow_of
    from tasks.automations import SILENT_RUNS, automation_file, read_automation

    path = repo_root / "infra/prefect.yaml"
    automation = read_automation(automation_file(SILENT_RUNS, path))
    related = automation.model_dump(mode="json")["trigger"]["match_related"]
    assert {flow_of(entry).name for entry in read_deployments(path)} <= set(related["prefect.resource.name"])


def test_what_runs_in_containers_is_not_served_by_a_process(repo_root: Path) -> None:
    from flows.serving import servable

    path = repo_root / "infra/prefect.yaml"
    assert {e.name for e in read_deployments(path)} - {e.name for e in servable(path, [])} == {"container"}
    with pytest.raises(InputError, match="--only container: its runs are containers"):
        servable(path, ["benchmark", "container"])


def test_who_starts_a_run_in_a_container_chooses_its_memory_and_nothing_else() -> None:
    from prefect_docker.worker import DockerWorkerJobConfiguration

    from tasks.prefect_server import TEMPLATE

    template = json.loads(TEMPLATE.read_text())
    assert set(template["variables"]["properties"]) == {"memory"}
    job = template["job_configuration"]
    assert set(job) <= set(DockerWorkerJobConfiguration.model_fields)
    assert [key for key, value in job.items() if "{{" in json.dumps(value)] == ["mem_limit", "memswap_limit"]


@pytest.mark.parametrize("file", [".dockerignore", "infra/gpu/Dockerfile.dockerignore"])
def test_no_image_is_built_with_the_secrets_of_the_compose_file(repo_root: Path, file: str) -> None:
    assert "**/.env" in (repo_root / file).read_text().splitlines()
