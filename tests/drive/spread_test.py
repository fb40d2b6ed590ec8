"""Calls of one function on all devices: in order, and few made ahead."""

import itertools

import jax
import numpy as np

from mspd_jax import drive


@jax.jit
def double(x):
    return 2 * x


def test_results_come_in_the_order_of_the_calls():
    calls = [(np.full(3, i, np.float32),) for i in range(20)]
    found = list(drive.spread(double, calls))
    np.testing.assert_array_equal([row[0] for row in found], 2 * np.arange(20))
    assert all(isinstance(row, np.ndarray) for row in found)


def test_few_calls_are_made_ahead():
    made = []

    def calls():
        for number in itertools.count():
            made.append(number)
            yield (np.float32(number),)

    found = drive.spread(double, calls())
    assert [float(next(found)) for _ in range(3)] == [0, 2, 4]
    assert len(made) <= 3 + 2 * jax.local_device_count()


def test_no_calls_give_nothing():
    assert list(drive.spread(double, [])) == []
