"""ScaleCert's detector against selections made by hand, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models, patch
from mspd_jax.errors import InputError
from mspd_jax.patch._neurons import WHOLE
from tests.patch import soundness_test as small

KEEP = 0.1  # of 108 neurons: 11


def selected(places, left, count, select):
    """The map with its largest `count` values, or places, among those that are left."""
    scores = places
    if select == "places":
        scores, left = np.abs(places).max(axis=-1, keepdims=True), left[..., :1]
    order = np.argsort(-scores.ravel(), kind="stable")
    order = order[left.ravel()[order]][:count]
    kept = np.zeros(scores.size, bool)
    kept[order] = True
    return np.where(kept.reshape(scores.shape), places, 0.0)


@pytest.mark.parametrize(
    ("select", "keep", "count"), [("neurons", KEEP, 11), ("places", 0.25, 9)]
)
def test_answers_are_those_of_the_largest_neurons_outside_each_window(
    select, keep, count
):
    parts = small.parts_of(3)
    detector = patch.scalecert(parts, small.WINDOWS, keep=keep, select=select)
    hidden = patch.hidden_by(small.WINDOWS, parts.reaches, parts.map_shape)
    run = jax.jit(lambda image: _looked(detector, image))
    rest = jax.jit(lambda places: parts.rest(places))
    shared = 0
    for image in small.pictures(3, 3):
        places = np.asarray(jax.jit(lambda x: parts.shallow(x))(image))
        whole, windows, same = map(np.asarray, run(image))
        everywhere = np.ones(places.shape, bool)
        close = dict(rtol=1e-4, atol=1e-4)
        want = rest(jnp.asarray(selected(places, everywhere, count, select)))
        np.testing.assert_allclose(whole, want, **close)
        for number in range(9):
            left = everywhere & ~np.asarray(patch.hides(hidden, number))[..., None]
            want = rest(jnp.asarray(selected(places, left, count, select)))
            np.testing.assert_allclose(windows[number], want, **close)
        shared += np.sum((same == WHOLE) | (same != np.arange(9)))
    assert shared > 0


def _looked(detector, image):
    masked = detector(image)
    return masked.whole, masked.hide(jnp.arange(9)), masked.same


def test_windows_that_do_not_fit_are_refused():
    parts = small.parts_of(0)
    with pytest.raises(InputError, match="images of .5, 5., the network for .6, 6."):
        patch.scalecert(parts, patch.cover((5, 5, 1), patch=2), keep=KEEP)
    one = patch.cover(small.SHAPE, patch=2, per_axis=1)
    with pytest.raises(InputError, match="every window of 6 x 6 pixels hides all"):
        patch.scalecert(parts, one, keep=KEEP)


def test_an_unknown_selection_is_refused():
    with pytest.raises(InputError, match="`select`=rows: expected one of neurons, pla"):
        patch.scalecert(small.parts_of(0), small.WINDOWS, keep=KEEP, select="rows")


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.5])
def test_a_share_that_is_none_is_refused(keep):
    with pytest.raises(InputError, match="share of neurons"):
        patch.scalecert(small.parts_of(0), small.WINDOWS, keep=keep)


def test_more_than_memory_can_hold_is_refused():
    places = jax.ShapeDtypeStruct((64, 64, 256), jnp.float32)
    parts = models.Split(
        jax.tree_util.Partial(jnp.zeros_like),
        jax.tree_util.Partial(jnp.ravel),
        (models.PIXEL, models.PIXEL),
        places.shape,
        (64, 64),
    )
    windows = patch.cover((64, 64, 3), patch=5)
    with pytest.raises(InputError, match="3600 windows over .* are too many"):
        patch.scalecert(parts, windows, keep=0.5)
