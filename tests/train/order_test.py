"""The order of examples: permutations, new ones each epoch, equal shares."""

import jax
import numpy as np

from mspd_jax.train._order import batch_positions, epoch_order


def test_every_epoch_is_another_permutation_and_always_the_same():
    key = jax.random.key(0)
    orders = [epoch_order(key, epoch, 1000) for epoch in range(3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert (orders[0] != orders[1]).mean() > 0.9
    np.testing.assert_array_equal(epoch_order(key, 1, 1000), orders[1])


def test_positions_are_spread_evenly():
    first = [epoch_order(jax.random.key(1), epoch, 4).tolist() for epoch in range(240)]
    counts = {tuple(order): first.count(order) for order in first}
    # Ten of each of the 24 expected: one is missing with probability 1e-3.
    assert len(counts) == 24


def test_shares_of_a_batch_are_the_batch():
    order = epoch_order(jax.random.key(0), 0, 50)
    whole = batch_positions(order, 2, batch_size=12)
    parts = [
        batch_positions(order, 2, batch_size=12, share=s, shares=3) for s in range(3)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(whole, order[24:36])
