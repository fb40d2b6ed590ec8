"""A classifier behind a transform: values, gradients, leaves."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.models import behind

RNG = np.random.default_rng(0)
IMAGE = RNG.random((3, 2, 1), np.float32)
WEIGHTS = RNG.standard_normal((6, 4)).astype(np.float32)


def curved(weights, image):
    return jnp.tanh(image.reshape(-1) @ weights)


def scale(factor, image):
    return factor * image


PREDICT = Partial(curved, jnp.asarray(WEIGHTS))
HALF = behind(Partial(scale, jnp.float32(0.5)), PREDICT)


class BehindTest(parameterized.TestCase):
    def test_composes_values_and_gradients(self):
        want = np.tanh((0.5 * IMAGE).reshape(-1) @ WEIGHTS)
        np.testing.assert_allclose(jax.jit(HALF)(IMAGE), want, rtol=1e-6)
        weights = np.arange(4.0, dtype=np.float32)
        found = jax.grad(lambda x: weights @ HALF(x))(IMAGE)
        by_hand = 0.5 * WEIGHTS @ (weights * (1 - want**2))
        np.testing.assert_allclose(found.reshape(-1), by_hand, rtol=1e-5)

    def test_weights_of_both_are_leaves(self):
        self.assertLen(jax.tree.leaves(HALF), 2)
        plain = behind(lambda x: x, lambda x: PREDICT(x))
        np.testing.assert_allclose(plain(IMAGE), PREDICT(IMAGE), rtol=1e-6)

    def test_transform_must_return_an_image_of_that_shape(self):
        with self.assertRaises(AssertionError):
            behind(lambda x: x[..., 0], PREDICT)(jnp.asarray(IMAGE))
