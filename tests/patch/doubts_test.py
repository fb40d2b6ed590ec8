"""Selections that rounding could make, against all that it can, in NumPy."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models, patch
from mspd_jax.patch._doubts import NEAR, doubts, exchange

SHAPE = (3, 3, 2)
WINDOWS = patch.cover((3, 3, 1), patch=1, per_axis=2)
HIDDEN = patch.hidden_by(WINDOWS, (models.PIXEL, models.PIXEL), SHAPE)
MASKS = np.repeat(
    (
        np.asarray(HIDDEN.rows)[:, None, :, None] & np.asarray(HIDDEN.cols)[:, None, :]
    ).reshape(-1, 9),
    2,
    axis=1,
)


def maps(count):
    """Values around 1, many of them so near that rounding may exchange them."""
    rng = np.random.default_rng(0)
    steps = (
        rng.integers(0, 60, (count, *SHAPE))
        * rng.choice([0.2, 0.6, 3.0], count)[:, None, None, None]
    )
    signs = rng.choice([-1, 0, 1], (count, *SHAPE), p=[0.2, 0.2, 0.6])
    return (signs * (1 - steps * NEAR)).astype(np.float32)


@functools.partial(jax.jit, static_argnames="keep")
def offered(places, *, keep):
    """The pruned map of each window, those of all swaps, and which of them count."""
    ranked = patch.rank_neurons(places, listed=places.size)
    limit = patch.limits(ranked, HIDDEN, keep=keep).ravel()
    found = doubts(ranked, HIDDEN, keep=keep)
    made = jax.vmap(lambda n: patch.prune_outside(ranked, HIDDEN, limit[n], n))

    def of_window(n):
        return jax.vmap(
            lambda drop, add: exchange(ranked, HIDDEN, limit[n], n, drop, add)
        )(found.drop[n], found.add[n])

    numbers = jnp.arange(WINDOWS.count)
    return made(numbers), jax.vmap(of_window)(numbers), found.needed, found.lost


def possible(values, keep):
    """All sets of `keep` that are the largest when each value moves by NEAR / 2.

    values: unhidden ones, by their place. None if nothing hangs on it.
    """
    order = sorted(values, key=lambda i: -values[i])
    if len(order) <= keep:
        return {frozenset(order)}
    near = NEAR * max(abs(v) for v in values.values())
    last, first = values[order[keep - 1]], values[order[keep]]
    if max(abs(last), abs(first)) <= 2 * near:
        return None
    moved = {i: (v - near / 2, v + near / 2) for i, v in values.items()}
    sets = set()
    for chosen in itertools.combinations(order[: keep + 6], keep):
        rest = [i for i in order if i not in chosen]
        if min(moved[i][1] for i in chosen) >= max(moved[i][0] for i in rest):
            sets.add(frozenset(chosen))
    return sets


@pytest.mark.parametrize("keep", [1, 3, 5, 17])
def test_every_selection_that_rounding_can_make_is_offered(keep):
    followed = tied = 0
    for places in maps(60):
        made, others, needed, lost = map(np.asarray, offered(places, keep=keep))
        for window, mask in enumerate(MASKS):
            flat = places.ravel().astype(float)
            values = {i: v for i, v in enumerate(flat) if not mask[i]}
            wanted = possible(values, keep)
            if wanted is None or lost[window]:
                continue
            given = [made[window], *others[window][needed[window]]]
            given = {one.tobytes() for one in given}
            for chosen in wanted:
                kept = np.where(np.isin(np.arange(flat.size), list(chosen)), flat, 0)
                assert kept.astype(np.float32).reshape(SHAPE).tobytes() in given
            followed += 1
            tied += len(wanted) > 1
    assert followed > 30
    assert (tied > 10) == (keep < 17)


def test_places_are_in_doubt_as_their_largest_neurons_are():
    """The same ranks as of a map that has one neuron a place."""
    for places in maps(20):
        largest = np.abs(places).max(axis=-1, keepdims=True)
        ranked = patch.rank_neurons(places, listed=9, select="places")
        alone = patch.rank_neurons(largest, listed=9)
        np.testing.assert_array_equal(ranked.order, alone.order)
        np.testing.assert_array_equal(ranked.ranks, alone.ranks)
        for found, want in zip(
            doubts(ranked, HIDDEN, keep=4), doubts(alone, HIDDEN, keep=4), strict=True
        ):
            np.testing.assert_array_equal(found, want)


def test_ties_of_many_are_lost_and_ties_of_nothing_are_not():
    ones, zeros = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    *_, needed, lost = offered(ones, keep=5)
    assert np.all(lost)
    *_, needed, lost = offered(zeros, keep=5)
    assert not np.any(lost) and not np.any(needed)
    zeros[0, 0] = zeros[2, 2] = 1.0
    *_, needed, lost = offered(zeros, keep=6)
    assert not np.any(lost) and not np.any(needed)
