"""Predictions in passes: each answer at its place, also where passes are too large."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import special

from mspd_jax.errors import InputError
from mspd_jax.patch._passes import Answers, answer_of, in_passes

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


COUNT = 7
TABLE = np.random.default_rng(0).normal(size=(COUNT, 4)).astype(np.float32)
OTHERS = Answers(*(jnp.asarray(x) for x in (9, 0.25, 0.125, 1.0)))


@pytest.mark.parametrize("budget", [1, 3, COUNT, COUNT + 5])
def test_passes_give_what_asking_everything_gives(budget):
    @jax.jit
    def run(needed):
        ask = Partial(lambda table, numbers: table[numbers], jnp.asarray(TABLE))
        return in_passes(ask, needed, OTHERS, budget=budget)

    sure = np.sort(TABLE)[:, ::-1]
    p = special.softmax(TABLE.astype(np.float64), axis=1).max(axis=1)
    for chosen in ((), (0,), (6,), (0, 6), (1, 2, 5), (5, 3, 4, 0), range(COUNT)):
        needed = np.isin(np.arange(COUNT), list(chosen))
        found = run(needed)
        assert found.labels.shape == (COUNT,)
        labels = np.where(needed, TABLE.argmax(axis=1), 9)
        np.testing.assert_array_equal(found.labels, labels)
        leads = (sure[:, 0] - sure[:, 1]) / np.abs(TABLE).max(axis=1).clip(1)
        leads = np.where(needed, leads, 0.125)
        np.testing.assert_allclose(found.leads, leads, rtol=1e-6)
        np.testing.assert_allclose(found.confidences, np.where(needed, p, 0.25), 1e-6)
    assert run._cache_size() == 1


def test_nothing_is_computed_but_what_is_needed():
    asked = []

    def ask(numbers):
        jax.debug.callback(lambda n: asked.append(n.tolist()), numbers, ordered=True)
        return jnp.asarray(TABLE)[numbers]

    run = jax.jit(lambda needed: in_passes(ask, needed, OTHERS, budget=2))
    for needed, passes in (([], 0), ([3], 1), ([1, 6], 1), ([0, 2, 4], 2)):
        asked.clear()
        jax.block_until_ready(run(np.isin(np.arange(COUNT), needed)))
        jax.effects_barrier()
        assert len(asked) == passes
        flat = sum(asked, [])
        assert flat[: len(needed)] == needed


def test_passes_of_a_batch_are_those_of_each_row():
    ask = Partial(lambda table, numbers: table[numbers], jnp.asarray(TABLE))
    needed = np.random.default_rng(1).random((5, COUNT)) < 0.5
    needed[0] = False
    run = jax.jit(jax.vmap(lambda chosen: in_passes(ask, chosen, OTHERS, budget=2)))
    labels = np.where(needed, TABLE.argmax(axis=1), 9)
    np.testing.assert_array_equal(run(needed).labels, labels)


def test_answers_to_logits():
    logits = np.float32([[1, 4, 2], [2, 2, 1], [np.nan, 9, 0], [0, 0, np.nan]])
    found = answer_of(jnp.asarray(logits))
    np.testing.assert_array_equal(found.labels, [1, 0, -1, -1])
    np.testing.assert_allclose(found.leads, [2 / 4, 0, 0, 0])
    with pytest.raises(InputError, match="single class"):
        answer_of(jnp.ones((3, 1)))
    p = [np.exp(4) / np.exp([1, 4, 2]).sum(), 1 / (2 + np.exp(-1)), 0, 0]
    np.testing.assert_allclose(found.confidences, p, rtol=1e-6)
