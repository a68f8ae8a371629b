"""A slip in a configuration is named where it stands: the line of the file, or the override, and the name that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.config import RunConfig
from models.errors import InputError
from tasks.read_config import read_config
from tasks.toml_line import line_of

TEXT = '''n_solutions = 3
selectors = [
  "b4",
  # a comment
  "codet",
]
[benchmark]
name = "b"
problems = "p"
[policy]
type = "openai"
model = """
[tests]
"""
sampling = { temperature = 1 }
[tests]
path = "t"
'''


def refused(tmp_path: Path, text: str, *overrides: str) -> str:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_config(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n_solutions", "n_solution", "FILE:1: field 'n_solution': no such field; did you mean n_solutions?"),
        ("problems =", "Problem =", "FILE:9: field 'benchmark.Problem': no such field; did you mean problems?"),
        ("temperature", "temprature", "FILE:15: field 'policy.sampling.temprature': no such field; did you mean temperature?"),
        ("model =", "zzz =", "FILE:10: field 'policy.model': is missing (and 1 more)"),
        ('"codet"', '"cod"', "FILE:2: field 'selectors.1': expected 'random', "),
        ("[tests]\npath", "[[tests]]\npath", "FILE:16: field 'tests': expected an object of named fields"),
        ("= 3", "= 3 4", "FILE:1: not TOML: "),
        (
            "[policy]",
            "[sandbox]\nlimits.memory = 64\n[policy]",
            "FILE:11: field 'sandbox.limits.memory': no such field; did you mean",
        ),
    ],
)
def test_the_line_and_the_name_that_was_meant(tmp_path: Path, old: str, new: str, said: str, end: str) -> None:
    assert refused(tmp_path, TEXT.replace(old, new, 1).replace("\n", end)).startswith(said)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("n_test=3", "field 'n_test': no such field; did you mean n_tests?"),
        ("policy.sampling.top-p=0.5", "field 'policy.sampling.top-p': no such field; did you mean top_p?"),
        ("n_tests=many", "field 'n_tests': expected a valid integer"),
        ("policy=3", "field 'policy': expected an object of named fields"),
        ("policy..model=x", "expected key.sub=value"),
    ],
)
def test_an_override_is_named_as_it_was_typed(tmp_path: Path, override: str, said: str) -> None:
    assert refused(tmp_path, TEXT, "seed=1", override).startswith(f"--set {override!r}: {said}")


def test_what_is_right_is_read_and_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(TEXT)
    assert isinstance(read_config(path), RunConfig)
    places = [("selectors", 1), ("policy", "model"), ("policy", "sampling", "temperature"), ("tests", "gone"), ("gone",)]
    assert [line_of(TEXT, place) for place in places] == [2, 12, 15, 16, None]


def test_what_cannot_be_read_and_what_is_no_number_is_one_line(tmp_path: Path) -> None:
    for content, said in (
        (b"a = 1\n\xff\xfe", "FILE:2: expected UTF-8, found byte 0xff"),
        (None, "FILE: No such file or directory; "),
    ):
        path = tmp_path / "bytes.toml"
        path.unlink(missing_ok=True)
        if content:
            path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_config(path)
        assert str(caught.value).replace(str(path), "FILE").startswith(said)
    for value in ("inf", "nan"):
        assert "'budget.mean_tests': expected a finite number" in refused(tmp_path, TEXT, f"budget.mean_tests={value}")
