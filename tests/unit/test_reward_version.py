"""A version is its content: same parts, same digest; what a rule answers on one matrix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from models.errors import InputError
from models.reward.registry import SELECTORS, resolve
from models.reward.scored import posterior_of_solutions, score_view
from models.reward.selector import MatrixView
from models.reward_version import RewardVersion, TestGeneratorSpec, probe_spec, read_version, version_of_run
from models.run_record import GeneratorIdentity
from models.types import Limits
from tests.recorded_run import recorded_run

GENERATOR = TestGeneratorSpec(backend="replay", model="m", prompt_version="1", tests=16)
VERSION = RewardVersion(generator=GENERATOR, selector="b4")


def view(passes: np.ndarray) -> MatrixView:
    n, m = passes.shape
    return MatrixView("t", passes, np.arange(m), tuple(map(str, range(n))), tuple(map(str, range(m))))


def test_a_round_trip_keeps_the_digest() -> None:
    again = read_version(VERSION.model_dump_json(), "here")
    assert again == VERSION
    assert again.digest == VERSION.digest
    assert RewardVersion(generator=GENERATOR, selector="auto").selector == "b4-outputs"


def test_the_digest_is_for_ever() -> None:
    """A field that is added with a default must not make another version of every old one."""
    assert VERSION.digest == "c10ca821d476a6ae0e4e8436dec02a2f"


def test_every_part_is_in_the_digest() -> None:
    others = [
        VERSION.model_copy(update={"generator": GENERATOR.model_copy(update={field: value})})
        for field, value in (
            ("model", "n"),
            ("revision", "r"),
            ("adapter", "a"),
            ("prompt_version", "2"),
            ("tests", 8),
            ("backend", "vllm"),
        )
    ]
    others += [
        RewardVersion(generator=GENERATOR, selector="codet"),
        VERSION.model_copy(update={"limits": Limits(timeout_s=2.0)}),
        VERSION.model_copy(update={"budget": VERSION.budget.model_copy(update={"policy": "greedy"})}),
        RewardVersion(generator=GENERATOR, selector="b4", probe={"file": "probe.npz", "sha256": "0" * 64}),
    ]
    assert len({v.digest for v in (VERSION, *others)}) == len(others) + 1


@pytest.mark.parametrize("name", ["random", "oracle", "best"])
def test_no_baseline_and_no_unknown_rule(name: str) -> None:
    with pytest.raises(ValidationError, match=r"floor or a ceiling|unknown selector"):
        RewardVersion(generator=GENERATOR, selector=name)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(InputError, match="here: field 'temperature': no such field"):
        read_version(
            '{"generator": {"backend": "b", "model": "m", "prompt_version": "1", "tests": 1}, "selector": "b4", "temperature": 1}',
            "here",
        )


def test_the_version_of_a_run() -> None:
    run = recorded_run()
    version = version_of_run(run)
    assert (version.selector, version.generator.model, version.generator.revision) == ("majority", "coderm", "r1")
    assert version.limits.timeout_s == 1.0
    assert version.generator.tests == 2
    assert version_of_run(replace(run, run_id="another")).digest == version.digest


def test_an_adapter_is_a_part_of_its_own() -> None:
    identity = GeneratorIdentity(backend="vllm", model="m", prompt_version="1", sampling={"temperature": 0.8, "adapter": "lora-7"})
    run = recorded_run(generators={"test": identity})
    assert version_of_run(run).generator.adapter == "lora-7"
    assert version_of_run(run).generator.sampling == {"temperature": 0.8}


def test_a_rule_that_the_run_did_not_compute() -> None:
    with pytest.raises(InputError, match="'codet' was not computed; expected one of majority"):
        version_of_run(recorded_run(), "codet")


def test_a_run_without_a_generator() -> None:
    with pytest.raises(InputError, match="no test generator is recorded"):
        version_of_run(recorded_run(generators={}))


def test_a_run_of_an_older_configuration_names_the_field() -> None:
    with pytest.raises(InputError, match="field 'policy'"):
        version_of_run(recorded_run(config={"budget": {"policy": "doubling"}}))


def test_probe_weights_by_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(b"weights")
    one = probe_spec(tmp_path / "w.npz")
    (tmp_path / "w.npz").write_bytes(b"weights!")
    assert probe_spec(tmp_path / "w.npz").sha256 != one.sha256
    with pytest.raises(InputError, match="No such file"):
        probe_spec(tmp_path / "gone.npz")


@pytest.mark.parametrize("name", sorted(set(SELECTORS) - {"oracle"}))
@given(passes=arrays(np.bool_, st.tuples(st.integers(0, 6), st.integers(0, 6))))
def test_the_choice_is_the_first_group_and_scores_best(name: str, passes: np.ndarray) -> None:
    (selector,) = resolve([name])
    found = score_view(selector, view(passes))
    groups = selector.rank(view(passes))
    assert found.choice == (groups[0] if groups else ())
    assert len(found.scores) == len(passes)
    dropped = set(range(len(passes))) - {i for group in groups for i in group}
    assert {i for i, s in enumerate(found.scores) if s is None} == dropped
    if found.choice:
        assert found.confidence is not None
        assert 0 <= found.confidence <= 1
        best = max(s for s in found.scores if s is not None)
        assert all(found.scores[i] >= best - 1e-6 * max(1, abs(best)) for i in found.choice)  # type: ignore[operator]
    else:
        assert found.confidence is None


def test_the_posterior_sums_to_one_over_classes() -> None:
    passes = np.array([[1, 1, 1], [1, 1, 1], [0, 1, 0], [0, 0, 0]], dtype=bool)
    posterior = posterior_of_solutions(passes)
    assert posterior[0] == posterior[1]
    assert posterior[1:].sum() == pytest.approx(1)
    assert posterior.argmax() == 0
