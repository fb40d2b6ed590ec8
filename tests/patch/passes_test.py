"""Predictions in passes: each answer at its place, also where passes are too large."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.patch._passes import Answers, in_passes

NOTHING = Answers(*(jnp.asarray(x) for x in (-1, 0.0, 0.0, 1.0)))


def _ask(numbers):
    """Number n is answered by class n + 1."""
    return jax.nn.one_hot(numbers + 1, 12)


SIZES = (1, 2, 5)


class InPassesTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 8)
    def test_what_is_needed_is_answered_and_nothing_else(self, budget):
        for size in SIZES:
            run = jax.jit(functools.partial(_answered, budget=budget))
            for bits in range(2**size):
                needed = _subset(bits, size)
                self._check(needed, run(needed))

    @parameterized.parameters((1, 2), (2, 2), (2, 8), (5, 2), (5, 3))
    def test_a_need_that_is_known_when_it_is_compiled(self, size, budget):
        # jaxlib 0.10.2 left out a loop whose count it knew to be below one step.
        subsets = [_subset(bits, size) for bits in (1, 1 << size - 1, 2**size - 1)]
        found = jax.jit(lambda: [_answered(n, budget=budget) for n in subsets])()
        for needed, labels in zip(subsets, found, strict=True):
            self._check(needed, labels)
            self._check(needed, _answered(needed, budget=budget))

    def _check(self, needed, labels):
        expected = np.where(needed, np.arange(len(needed)) + 1, -1)
        np.testing.assert_array_equal(labels, expected)


def _answered(needed, *, budget):
    return in_passes(_ask, jnp.asarray(needed), NOTHING, budget=budget).labels


def _subset(bits, size):
    return np.array([bits >> n & 1 for n in range(size)], bool)
