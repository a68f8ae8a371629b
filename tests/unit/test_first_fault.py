"""What was wrong in a configuration is said in its own words: lists and fields, and no way through a union."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from models.config import RunConfig
from models.first_fault import first_fault

GOOD = {"benchmark": {"name": "b", "problems": "p"}, "policy": {"path": "s"}, "tests": {"path": "t"}}


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        ({"selectors": "codet"}, ("selectors",), "expected a list"),
        ({"selectors": ["codet", "nope"]}, ("selectors", 1), "expected 'random', 'oracle', "),
        ({"selectors": []}, ("selectors",), "expected a list of at least 1"),
        ({"k": []}, ("k",), "expected a list of at least 1"),
        ({"waves": "x"}, ("waves",), "expected 'auto'; or expected a valid integer"),
        ({"sandbox": 3}, ("sandbox",), "expected an object of named fields"),
        ({"budget": {"difficulty": {}}}, ("budget", "difficulty"), "expected an object with a field 'type'"),
        ({"n_test": 3}, ("n_test",), "no such field"),
        ({"benchmark": {"name": "b"}}, ("benchmark", "problems"), "is missing"),
        ({"waves": 2}, (), "waves = 2 goes with two models"),
    ],
)
def test_the_first_fault_in_the_words_of_the_file(change: dict[str, Any], place: tuple[str | int, ...], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RunConfig.model_validate(GOOD | change)
    fault = first_fault(caught.value)
    assert (fault.place, fault.more) == (place, 0)
    assert fault.expected.startswith(expected)


def test_with_the_model_the_place_has_no_tag_and_a_slip_is_one_fault() -> None:
    with pytest.raises(ValidationError) as caught:
        RunConfig.model_validate(GOOD | {"policy": {"type": "openai", "modle": "m"}})
    assert first_fault(caught.value, RunConfig) == (("policy", "modle"), "no such field; did you mean model?", 0)
    assert first_fault(caught.value).place == ("policy", "openai", "model")


def test_others_are_counted_by_field_and_no_value_is_quoted() -> None:
    secret = "sk-Secret"
    with pytest.raises(ValidationError) as caught:
        RunConfig.model_validate(GOOD | {"policy": {"type": "openai", "model": "m", "api_key": secret}, "selectors": ["a", "b"]})
    fault = first_fault(caught.value)
    assert (fault.place[-1], fault.more) == ("api_key", 2)
    assert "CODERM_<NAME>_API_KEY" in fault.expected
    assert secret not in fault.expected
