"""A variable with our prefix that nobody reads is named, with the one that was meant; every name that we read is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.__main__ import run
from models.errors import InputError, UnavailableError
from tasks.settings import load_settings, prefect_home, unknown_variables


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_slip_is_named_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODERM_DATABSE_URL", "coderm_gpu_slots", "CODERM_HOUSE_API_KEY", "CODERM_OPENAI_APIKEY", "CODERMX", "CODERM_QQ"):
        monkeypatch.setenv(name, "secret")
    Path(".env").write_text("CODERM_SANDBOX_WORKER=2\nCODERM_HOME=here\nOTHER=1\n")
    no_effect = "is no variable of coderm and has no effect"
    assert unknown_variables() == [
        f"environment: CODERM_DATABSE_URL {no_effect}; did you mean CODERM_DATABASE_URL?",
        f"environment: CODERM_OPENAI_APIKEY {no_effect}; did you mean CODERM_OPENAI_API_KEY?",
        f"environment: CODERM_QQ {no_effect}",
        f".env: CODERM_SANDBOX_WORKER {no_effect}; did you mean CODERM_SANDBOX_WORKERS?",
    ]


def test_doctor_warns_and_its_exit_code_stays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tasks.diagnose.diagnose", list)
    monkeypatch.setenv("CODERM_PRIVAT", "true")
    assert run(["doctor"]) == 0
    said = capsys.readouterr().err
    assert said == (
        "warning: environment: CODERM_PRIVAT is no variable of coderm and has no effect; did you mean CODERM_PRIVATE?\n"
    )


def test_a_home_that_is_a_file_and_an_env_file_in_another_encoding_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CODERM_HOME", str(tmp_path / "file" / "state"))
    with pytest.raises(InputError, match=r"variable CODERM_HOME: .*/file is a file; expected a folder"):
        load_settings()
    Path(".env").write_bytes("CODERM_HOME=é".encode("utf-16"))
    for read in (load_settings, unknown_variables):
        with pytest.raises(InputError, match=r"\.env: expected UTF-8, found byte 0xff at offset 0"):
            read()


def test_a_full_disk_is_said_before_a_server_is_started_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setattr("tasks.settings.PREFECT_BYTES", 1 << 62)
    with pytest.raises(
        UnavailableError, match=r"/prefect: .* MiB free, Prefect's database needs .*; make room, or set PREFECT_HOME"
    ):
        prefect_home(load_settings())
    monkeypatch.setattr("tasks.settings.PREFECT_BYTES", 0)
    assert prefect_home(load_settings()) == tmp_path / "prefect"


def test_every_variable_that_this_project_names_is_known(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["git", "grep", "-ohE", r"CODERM_[A-Z][A-Z_]+\b", "--", ".", ":!tests/unit/test_settings.py"]
    names = set(subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True).stdout.split())
    assert len(names) > 20
    for name in names - {"CODERM_CHECKED_DATABASE"}:  # of Great Expectations' own configuration, no variable of the environment
        monkeypatch.setenv(name, "x")
    assert unknown_variables() == []
