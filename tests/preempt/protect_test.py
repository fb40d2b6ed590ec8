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
revert = jax.jit(preempt.revert, static_argnames=("labeler", "rounds", "norm"))


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

    @parameterized.parameters("linf", "l2")
    def test_rounds_are_half_steps_to_what_made_the_image(self, norm):
        predict, _, image, label = _setup(5)
        eps = EPS if norm == "linf" else 0.3
        p, y, key = jnp.asarray(image), jnp.int32(label), jax.random.key(1)
        plan = {"eps": eps, "norm": norm}
        found = revert(key, predict, p, y, labeler="truth", rounds=3, **plan)
        x = image.astype(np.float64)
        for own in jax.random.split(key, 3):
            made = preempt.mcgs(own, predict, jnp.float32(x), y, **plan).image
            change = x + 0.5 * (image - np.asarray(made)) - image
            if norm == "linf":
                change = np.clip(change, -eps, eps)
            else:
                change = change * min(1.0, eps / np.linalg.norm(change))
            x = np.clip(image + change, 0.0, 1.0)
        np.testing.assert_allclose(found.image, x, atol=1e-6)
        self.assertEqual(float(found.clipped), 0.0)
        with self.assertRaisesRegex(ValueError, "rounds must be at least 1, got 0"):
            preempt.revert(key, predict, p, y, rounds=0, **plan)

    def test_rounds_come_nearer_to_the_original_where_the_model_is_curved(self):
        rng = np.random.default_rng(0)
        first, last = (jnp.float32(rng.normal(size=s)) for s in ((16, 24), (3, 16)))

        def curved(weights, z):
            return weights[1] @ jnp.sin(4.0 * weights[0] @ z.ravel())

        predict = Partial(curved, (first, last))
        images = jnp.float32(rng.uniform(0.2, 0.8, size=(20, *SHAPE)))

        @functools.partial(jax.jit, static_argnames="rounds")
        def errors(keys, rounds):
            def error(key, x):
                own, other = jax.random.split(key)
                p = preempt.protect(own, predict, x, 0, eps=EPS, num_samples=40)
                plan = {"eps": EPS, "num_samples": 40, "rounds": rounds}
                found = preempt.revert(other, predict, p.image, 0, **plan).image
                return jnp.abs(found - x).mean()

            return jax.vmap(error)(keys, images)

        keys = jax.random.split(jax.random.key(0), 20)
        once, often = errors(keys, 1), errors(keys, 8)
        self.assertLess(float(often.mean()), 0.8 * float(once.mean()))

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
