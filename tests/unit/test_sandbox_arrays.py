"""numpy's values between judge and server: what comes out is what went in, and nothing that numpy would never store comes out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sandbox.guest import arrays, codec, outcomes, program

FORMATS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="<"),
    hnp.unsigned_integer_dtypes(endianness="<"),
    hnp.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="<", sizes=(64, 128)),
    hnp.unicode_string_dtypes(endianness="<", max_len=4),
    hnp.byte_string_dtypes(max_len=4),
    hnp.datetime64_dtypes(endianness="<"),
    hnp.timedelta64_dtypes(endianness="<"),
)
ARRAYS = FORMATS.flatmap(lambda form: hnp.arrays(form, hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4)))


class Lying(np.ndarray):
    """An array that equals everything."""

    def __eq__(self, other: object) -> Any:
        return np.bool_(True)

    __hash__ = None


def crossed(value: Any) -> Any:
    return codec.unpack(json.loads(json.dumps(codec.pack(value, set()))))


@given(ARRAYS)
def test_an_array_arrives_as_it_was(value: np.ndarray) -> None:
    for sent in (value, value.T, value[..., ::-1] if value.ndim else value):
        found = crossed(sent)
        assert (type(found), found.dtype, found.shape) == (np.ndarray, sent.dtype, sent.shape)
        assert found.tobytes() == sent.tobytes()


@given(ARRAYS.filter(lambda a: a.size > 0).map(lambda a: a.ravel()[0]))
def test_a_scalar_arrives_as_it_was(value: np.generic) -> None:
    found = crossed(value)
    assert (type(found), found.dtype) == (type(value), value.dtype)
    assert found.tobytes()[: found.nbytes] == value.tobytes()[: value.nbytes]


def test_objects_cross_one_by_one_and_only_those_that_may() -> None:
    mixed = np.array([[1, "a"], [None, 2.5]], dtype=object)
    found = crossed({"x": [mixed, np.str_("")]})
    assert found["x"][0].tolist() == mixed.tolist()
    assert found["x"][1] == ""
    for refused in (
        np.zeros(1).view(Lying),
        np.ma.array([1]),
        np.zeros(2, [("a", int)]),
        np.longdouble(1),
        np.zeros(1, ">i4"),
        np.array([open]),
    ):
        with pytest.raises(codec.Opaque):
            codec.pack(refused, set())


@pytest.mark.parametrize(
    "body",
    [
        ["<f16", [1], "00" * 16],
        ["|V8", [1], "00" * 8],
        ["<f8", [2], "00" * 8],
        ["<f8", [1], "0"],
        ["<U1", [1], "00001100"],
        ["O", [10**12], []],
        ["O", [2], [1]],
        ["<U0", [10**12], ""],
        ["|S0", [3], ""],
        ["<f8", [-2, -2], "00" * 32],
        ["<f8", ["x"], ""],
        [["<f8"], [0], ""],
        ["<f8", [1]],
        ["<M8[ns]x", [1], "00" * 8],
    ],
)
def test_what_no_array_holds_is_refused(body: list[Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        codec.unpack({arrays.ARRAY: body})


def test_a_boolean_is_true_or_false_whatever_byte_a_solution_sends() -> None:
    found = codec.unpack({arrays.ARRAY: ["|b1", [3], "00ff02"]})
    assert found.view(np.uint8).tolist() == [0, 1, 1]


def test_changes_in_place_arrive_in_place_also_through_a_view() -> None:
    whole = np.arange(6)
    seen = whole[::2]
    codec.restore(seen, np.array([9, 8, 7]))
    assert whole.tolist() == [9, 1, 8, 3, 7, 5]
    rows = [np.zeros(2), np.zeros(3)]
    first = rows[0]
    codec.restore(rows, [np.ones(2), np.ones(4)])
    assert first.tolist() == [1, 1]
    assert rows[1].tolist() == [1, 1, 1, 1]
    with pytest.raises(codec.Opaque, match="another shape"):
        codec.restore(whole, np.zeros(3))


def test_two_arguments_in_one_memory_do_not_cross() -> None:
    whole, seen = np.arange(4), set[int]()
    codec.pack(whole[:2], seen)
    with pytest.raises(codec.Opaque, match="one memory"):
        codec.pack(whole[2:], seen)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.float64(1.5), 1.5, True),
        (np.array([1, 2], np.int64), np.array([1, 2], np.uint8), True),
        (np.array([0.0]), np.array([-0.0]), True),
        (np.array([1, 2]), [1, 2], False),
        (np.array([1, 2]), np.array([[1, 2]]), False),
        (np.array([1]), np.array([1.0]), False),
        (np.array([{1, 2}], object), np.array([{2, 1}], object), True),
        (np.datetime64("2026-01-02"), np.datetime64("2026-01-03"), False),
    ],
)
def test_equal_arrays_are_one_output(one: Any, other: Any, same: bool) -> None:
    texts = [outcomes.canonical(json.loads(json.dumps(codec.pack(value)))) for value in (one, other)]
    assert (texts[0] == texts[1]) is same
    assert all(outcomes.shown(json.loads(text)) for text in texts)


def test_an_output_is_shown_as_numpy_writes_it() -> None:
    value = np.array([[1, 2], [3, 4]])
    assert outcomes.shown(json.loads(outcomes.canonical(codec.pack(value)))) == "array([[1, 2], [3, 4]])"
    assert outcomes.shown(json.loads(outcomes.canonical(codec.pack(np.zeros(0))))) == "array([])"


@pytest.mark.parametrize(
    ("test", "asserts"),
    [
        ("import numpy as np\nnp.testing.assert_allclose(f(1), 2)", 1),
        ("from numpy.testing import assert_equal as same\nsame(f(1), 2)", 1),
        ("import numpy.testing as npt\ndef check(g):\n    npt.assert_equal(g(1), 2)", 1),
        ("np.testing.assert_equal(f(1), 2)", 0),
        ("from solution import testing\ntesting.assert_equal(f(1), 2)", 0),
        ("import solution\nsolution.testing.assert_equal(f(1), 2)", 0),
        ("import numpy as np\nnp.testing.verbose(f(1))", 0),
        ("assert_equal(f(1), 2)", 0),
    ],
)
def test_a_check_of_a_testing_module_counts_when_the_test_imported_it(test: str, asserts: int) -> None:
    assert program.compile_test(test)[1] == asserts
