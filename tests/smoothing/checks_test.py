"""Arguments of smoothing: what is taken, as what, and what is refused."""

import numpy as np
import pytest

from mspd_jax.smoothing._checks import (
    check_count,
    check_level,
    check_sigma,
    check_votes,
)


def test_counts_are_integers_of_any_kind():
    for value in (3, np.int64(3), np.uint8(3)):
        found = check_count("n", value)
        assert found == 3 and type(found) is int
    assert check_count("n", 0, least=0) == 0
    assert check_count("n", 2**30) == 2**30


@pytest.mark.parametrize("value", [0, -1, 2**30 + 1, 3.0, "3", None, True])
def test_other_counts_are_refused(value):
    with pytest.raises(ValueError, match="n must be an integer of 1 to 2.30; got"):
        check_count("n", value)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 2, float("nan")])
def test_a_level_is_inside_of_0_and_1(value):
    assert check_level("alpha", np.float32(0.5)) == 0.5
    with pytest.raises(ValueError, match="alpha must be between 0 and 1; got"):
        check_level("alpha", value)


def test_sigma_is_the_smaller_of_it_and_its_float32():
    assert float(np.float32(0.3)) > 0.3 and check_sigma(0.3) == 0.3
    assert check_sigma(0.7) == float(np.float32(0.7)) < 0.7


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan"), 1e-60, 1e60])
def test_sigma_is_positive_and_finite_in_float32(value):
    with pytest.raises(ValueError, match="sigma must be positive and finite"):
        check_sigma(value)


def test_votes_are_counts_of_at_most_so_many_samples():
    found = check_votes("votes", np.int32([[1, 2], [0, 3]]), most=3)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [[1, 2], [0, 3]])
    assert check_votes("votes", np.zeros((0, 3), int), most=3).shape == (0, 3)


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ([1.0, 2.0], "votes must be integers"),
        (3, "votes must be integers"),
        ([1, -1], "votes must not be negative; got -1"),
        ([2, 2], "at most num_samples = 3 samples; got 4"),
    ],
)
def test_other_votes_are_refused(votes, words):
    with pytest.raises(ValueError, match=words):
        check_votes("votes", votes, most=3)
