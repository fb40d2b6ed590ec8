"""Protected images under an adversary who rounds: they move where a sign is chance."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import data, models, preempt
from tests.rounding import off

EPS = 0.1
COUNT = 16


def _surrogate():
    spec = models.ModelSpec(
        "small_cnn", {"widths": [8, 16]}, (0.0,), (1.0,), 10, (8, 8, 1), {}
    )
    return models.predictor(models.create_model(jax.random.key(0), spec))


@jax.jit
def _protected(predict, keys, images, labels):
    def one(key, image, label):
        return preempt.protect(key, predict, image, label, eps=EPS, labeler="truth")

    return jax.vmap(one)(keys, images, labels).image


class RoundingTest(parameterized.TestCase):
    def test_pixels_move_only_where_a_gradient_is_nearly_zero(self):
        images, labels = data.load_arrays(data.open_source("digits:test", limit=COUNT))
        images = jnp.asarray(images, jnp.float32) / 255.0
        keys = jax.random.split(jax.random.key(1), COUNT)
        exact, *others = (
            np.asarray(_protected(off(_surrogate(), seed), keys, images, labels))
            for seed in range(4)
        )
        for other in others:
            change = np.abs(other - exact)
            # A draw whose sign turned moves its pixel by 2 eps / 20, seldom.
            self.assertLess(np.mean(change > 1e-6), 2e-3)
            self.assertLessEqual(change.max(), 2 * EPS + 1e-6)
            np.testing.assert_array_less(np.abs(other - images), EPS + 1e-6)
        # What is no rounding any more moves more of them.
        wild = _protected(off(_surrogate(), 1, error=0.5), keys, images, labels)
        self.assertGreater(np.mean(np.abs(wild - exact) > 1e-6), 2e-3)
