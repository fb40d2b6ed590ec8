"""PatchCleanser: labels and certificates from tables of pairs of windows."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax import patch


def tabled(table, image, first, second):
    """As `patch_cleanser`, from a table of labels [W, W]."""
    del image
    return 3.0 * jax.nn.one_hot(table[first, second], 3)


FOUR = jnp.arange(4)


def recovered(table):
    table = jnp.asarray(table)
    assert (table == table.T).all()  # two windows hide the same in either order
    found = RECOVER(table)
    computed = int(found.computed)
    return int(found.label), bool(found.certified), computed


RECOVER = jax.jit(
    lambda table: patch.recover(
        patch.Pairs(Partial(tabled, table), FOUR), None, budget=3
    )
)


def test_recovery_of_what_all_agree_on():
    table = np.ones((4, 4), int)
    assert recovered(table) == (1, True, 4 + 6)
    table[1, 3] = table[3, 1] = 2  # a pair of windows says otherwise
    assert recovered(table) == (1, False, 4 + 6)


def test_recovery_of_what_a_patch_hides():
    """A patch in window 2: all that leave it open say 0, all others 1."""
    table = np.zeros((4, 4), int)
    table[2, :] = table[:, 2] = 1
    assert recovered(table) == (1, False, 4 + 3)
    table[2, 0] = table[0, 2] = 0  # then window 2 does not stand by its label
    assert recovered(table) == (0, False, 4 + 3)


def brightness(image):
    """As many classes as pixels: the first of the brightest."""
    return image.ravel()


def test_pairs_hide_both_windows():
    windows = patch.cover((4, 4, 1), patch=2, per_axis=2)
    pairs = patch.patch_cleanser(brightness, windows)
    image = np.random.default_rng(0).random((4, 4, 1)).astype(np.float32)
    numbers = np.array(list(itertools.product(range(4), repeat=2)))
    found = pairs.ask(jnp.asarray(image), *map(jnp.asarray, numbers.T))
    for logits, pair in zip(np.asarray(found), numbers, strict=True):
        want = image.copy()
        for number in pair:
            row, col = windows.rows[number // 2], windows.cols[number % 2]
            want[row : row + windows.height, col : col + windows.width] = 0.5
        np.testing.assert_array_equal(logits, want.ravel())
