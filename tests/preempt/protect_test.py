"""Protection and its reversion on a linear model, and whose label they work for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax import preempt

SHAPE = (3, 4, 2)
CLASSES = 3
EPS = 8 / 255
protect = jax.jit(preempt.protect, static_argnames="labeler")
revert = jax.jit(preempt.revert, static_argnames="labeler")


def _linear(weights, image):
    return weights @ image.ravel()


def _setup(seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(CLASSES, 24)).astype(np.float32)
    image = rng.uniform(size=SHAPE).astype(np.float32)
    image.flat[:4] = [0.0, 1.0, 0.01, 0.99]  # at and near the walls of the box
    return Partial(_linear, jnp.asarray(weights)), weights, image, 1


class ProtectTest(parameterized.TestCase):
    def test_loss_falls_and_reversion_takes_it_back(self):
        predict, weights, image, label = _setup(5)
        x, y, key = jnp.asarray(image), jnp.int32(label), jax.random.key(0)
        truth = functools.partial(protect, labeler="truth")
        protected = truth(key, predict, x, y, eps=EPS).image
        reverted = revert(
            jax.random.key(1), predict, protected, y, eps=EPS, labeler="truth"
        )

        def loss(z):
            return float(jax.nn.logsumexp(predict(z)) - predict(z)[label])

        self.assertLess(loss(protected), loss(x))
        self.assertGreater(loss(reverted.image), loss(protected))
        q = preempt.mcgs(jax.random.key(1), predict, protected, y, eps=EPS).image
        np.testing.assert_allclose(
            reverted.image, np.clip(2 * protected - q, 0, 1), atol=1e-6
        )

    def test_labels_come_from_where_they_should(self):
        predict, weights, image, _ = _setup(7)
        x, true = jnp.asarray(image), jnp.int32(2)
        other = Partial(_linear, -jnp.asarray(weights))
        own = int(np.argmax(weights @ image.ravel()))
        theirs = int(np.argmin(weights @ image.ravel()))
        self.assertLen({own, theirs, 2}, 3 if own != 2 and theirs != 2 else 2)
        label = functools.partial(preempt.assumed_label, predict, x, true)
        self.assertEqual(int(label("truth")), 2)
        self.assertEqual(int(label("coupled")), own)
        self.assertEqual(int(label(other)), theirs)
        with self.assertRaisesRegex(ValueError, "'coupled' or 'truth', got 'oracle'"):
            label("oracle")

    def test_label_and_clipping_are_reported(self):
        predict, weights, image, _ = _setup(7)
        own = int(np.argmax(weights @ image.ravel()))
        got = protect(jax.random.key(0), predict, image, jnp.int32(-1), eps=EPS)
        self.assertEqual(int(got.label), own)
        # Pixels at the walls: what leaves [0, 1] is cut off, and how much is told.
        back = revert(jax.random.key(1), predict, image, jnp.int32(-1), eps=EPS)
        q = preempt.mcgs(
            jax.random.key(1), predict, image, jnp.int32(own), eps=EPS
        ).image
        far = 2 * image - np.asarray(q)
        outside = np.max(np.abs(far - np.clip(far, 0, 1)))
        self.assertGreater(outside, 0.01)
        np.testing.assert_allclose(back.clipped, outside, atol=1e-6)
