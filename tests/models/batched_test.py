"""A network for batches as a per-image function: values, gradients, true batches."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax import lax
from jax.tree_util import Partial

from mspd_jax.attacks import pgd
from mspd_jax.models import from_batched

SHAPE = (2, 3, 2)
WEIGHTS = jax.random.normal(jax.random.key(0), (12, 4))
IMAGES = jax.random.uniform(jax.random.key(1), (6, *SHAPE))
# The batches that `leaky` was traced with.
SEEN = []


def leaky(weights, images):
    """Centers the features of a batch, as batch normalization in training mode does."""
    SEEN.append(len(images))
    features = jnp.sin(images.reshape(len(images), -1) @ weights)
    return features - jnp.mean(features, axis=0, keepdims=True)


def sum_of_class(images, k):
    return jnp.sum(leaky(WEIGHTS, images)[:, k])


PREDICT = from_batched(leaky, WEIGHTS)
# What the network itself says of its gradient: K backward passes of the whole batch.
WANT = np.stack([jax.grad(sum_of_class)(IMAGES, k) for k in range(4)], axis=1)
close = np.testing.assert_allclose


class ValueTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        jax.clear_caches()  # a trace that JAX has kept would not be seen
        SEEN.clear()

    def test_alone_it_is_a_batch_of_one(self):
        close(PREDICT(IMAGES[0]), np.zeros(4))
        self.assertEqual(SEEN, [1])

    def test_vmap_hands_over_the_batch(self):
        close(jax.jit(jax.vmap(PREDICT))(IMAGES), leaky(WEIGHTS, IMAGES), rtol=1e-5)
        self.assertEqual(max(SEEN), 6)

    def test_nested_vmap_is_one_batch(self):
        got = jax.vmap(jax.vmap(PREDICT))(IMAGES.reshape(2, 3, *SHAPE))
        self.assertEqual(max(SEEN), 6)
        close(got.reshape(6, 4), leaky(WEIGHTS, IMAGES), rtol=1e-5)

    def test_mapped_weights_each_have_the_batch(self):
        two = jnp.stack([WEIGHTS, -2 * WEIGHTS])
        over_images = jax.vmap(
            lambda w, x: from_batched(leaky, w)(x), in_axes=(None, 0)
        )
        got = jax.vmap(over_images, in_axes=(0, None))(two, IMAGES)
        close(got, [leaky(w, IMAGES) for w in two], rtol=1e-5, atol=1e-6)
        got = jax.vmap(lambda w: from_batched(leaky, w)(IMAGES[0]))(two)
        close(got, np.zeros((2, 4)))

    def test_new_weights_do_not_compile_again_and_callables_are_leaves(self):
        run = jax.jit(jax.vmap(lambda p, x: p(x), in_axes=(None, 0)))
        run(PREDICT, IMAGES)
        got = run(from_batched(leaky, 3 * WEIGHTS), IMAGES)
        close(got, leaky(3 * WEIGHTS, IMAGES), rtol=1e-5)
        self.assertEqual(run._cache_size(), 1)
        close(run(from_batched(Partial(leaky, 3 * WEIGHTS)), IMAGES), got, rtol=1e-5)


class GradientTest(parameterized.TestCase):
    @parameterized.parameters(*range(4))
    def test_vmap(self, k):
        gradient = jax.jit(jax.vmap(jax.grad(lambda x: PREDICT(x)[k])))
        close(gradient(IMAGES), WANT[:, k], rtol=1e-4, atol=1e-6)

    @parameterized.parameters(False, True)
    def test_many_cotangents_of_one_batch(self, nested):
        jacobian = jax.vmap(jax.jacrev(PREDICT))
        images = IMAGES.reshape(2, 3, *SHAPE) if nested else IMAGES
        got = (jax.vmap(jacobian) if nested else jacobian)(images)
        close(got.reshape(WANT.shape), WANT, rtol=1e-4, atol=1e-6)

    def test_cotangents_outside_of_the_images(self):
        def gradient(k):
            pick = jnp.arange(4) == k
            return jax.vmap(jax.grad(lambda x: jnp.where(pick, PREDICT(x), 0.0).sum()))(
                IMAGES
            )

        got = jax.vmap(gradient)(jnp.arange(4))
        close(np.moveaxis(got, 0, 1), WANT, rtol=1e-4, atol=1e-6)

    def test_mapped_weights(self):
        two = jnp.stack([WEIGHTS, -2 * WEIGHTS])

        def gradients(weights):
            predict = from_batched(leaky, weights)
            return jax.vmap(jax.grad(lambda x: predict(x)[1]))(IMAGES)

        got = jax.vmap(gradients)(two)
        close(got[0], WANT[:, 1], rtol=1e-4, atol=1e-6)
        close(got[1], gradients(two[1]), rtol=1e-4, atol=1e-6)

    def test_in_a_loop_it_is_a_loop_over_batches(self):
        def climb(x):
            step = jax.grad(lambda x: PREDICT(x)[0])
            return lax.fori_loop(0, 3, lambda _, x: x + 0.1 * step(x), x)

        want = IMAGES
        for _ in range(3):
            want = want + 0.1 * jax.grad(sum_of_class)(want, 0)
        close(jax.jit(jax.vmap(climb))(IMAGES), want, rtol=1e-5)

    def test_an_attack_runs_on_it(self):
        labels = jnp.argmax(leaky(WEIGHTS, IMAGES), axis=1)

        @jax.jit
        def attacked(predict):
            def run(x, y):
                return pgd(jax.random.key(0), predict, x, y, eps=0.3).image

            return jax.vmap(run)(IMAGES, labels)

        found = jnp.argmax(leaky(WEIGHTS, attacked(PREDICT)), axis=1)
        self.assertGreater(np.mean(found != labels), 0.5)

    def test_gradient_of_the_weights_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no gradient flows to args"):
            jax.grad(lambda w: from_batched(leaky, w)(IMAGES[0])[0])(WEIGHTS)
