"""Minority Reports: each answer is that of the image under a gray window."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax import patch
from mspd_jax.patch._windows import GRAY

SHAPE = (7, 6, 2)
WINDOWS = patch.cover(SHAPE, patch=2, per_axis=3)


def linear(weights, image):
    return weights @ image.ravel()


def test_answers_are_those_of_images_under_each_window():
    weights = jax.random.normal(jax.random.key(0), (3, 84))
    image = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    detector = patch.minority_reports(Partial(linear, weights), WINDOWS)
    masked = detector(jnp.asarray(image))
    np.testing.assert_allclose(masked.whole, weights @ image.ravel(), rtol=1e-5)
    # A window can always change the answer: none shares one.
    np.testing.assert_array_equal(masked.same, np.arange(9))
    found = masked.hide(jnp.arange(9))
    for number, logits in enumerate(found):
        row, col = WINDOWS.rows[number // 3], WINDOWS.cols[number % 3]
        hidden = image.copy()
        hidden[row : row + WINDOWS.height, col : col + WINDOWS.width] = GRAY
        want = np.asarray(weights, np.float64) @ hidden.ravel()
        np.testing.assert_allclose(logits, want, rtol=1e-4, atol=1e-4)


def test_a_function_will_do_and_new_weights_do_not_compile_again():
    run = jax.jit(lambda detector, image: detector(image).whole)
    for seed in range(2):
        weights = jax.random.normal(jax.random.key(seed), (3, 84))
        run(patch.minority_reports(Partial(linear, weights), WINDOWS), jnp.ones(SHAPE))
    assert run._cache_size() == 1
    masked = patch.minority_reports(lambda x: x.ravel()[:3], WINDOWS)(jnp.ones(SHAPE))
    np.testing.assert_array_equal(masked.whole, np.ones(3))
