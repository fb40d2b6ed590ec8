"""BPDA: values of one function, gradient of another, under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import bpda, pgd, straight_through

SHAPE = (2, 3, 2)
WEIGHTS = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
IMAGE = np.random.default_rng(1).uniform(0.2, 0.8, SHAPE).astype(np.float32)
close = np.testing.assert_allclose


def linear(weights, image):
    return weights @ image.reshape(-1)


def stairs(weights, image):
    return linear(weights, rounded(image))


def rounded(image):
    return jnp.round(image * 4) / 4


def through(transform, weights, image):
    return linear(weights, transform(image))


STEEP = Partial(stairs, jnp.asarray(WEIGHTS))
OTHER = Partial(linear, jnp.asarray(2 * WEIGHTS))


class BpdaTest(parameterized.TestCase):
    def test_value_of_one_gradient_of_the_other(self):
        predict = bpda(STEEP, backward=OTHER)
        close(predict(IMAGE), WEIGHTS @ (np.round(IMAGE * 4) / 4).ravel(), rtol=1e-5)
        close(jax.jacrev(predict)(IMAGE).reshape(4, 12), 2 * WEIGHTS, rtol=1e-5)

    def test_gradient_is_taken_at_the_point(self):
        predict = bpda(STEEP, backward=lambda x: jnp.square(linear(WEIGHTS, x)))
        want = 2 * (WEIGHTS @ IMAGE.ravel())[:, None] * WEIGHTS
        close(jax.jacrev(predict)(IMAGE).reshape(4, 12), want, rtol=1e-4)

    def test_under_vmap_and_jit_with_cotangents(self):
        images = np.stack([IMAGE, 1 - IMAGE])
        got = jax.jit(jax.vmap(jax.jacrev(bpda(STEEP, backward=OTHER))))(images)
        close(got.reshape(2, 4, 12), np.stack([2 * WEIGHTS] * 2), rtol=1e-5)

    def test_new_weights_do_not_compile_again(self):
        run = jax.jit(lambda predict, image: predict(image))
        for factor in (1, 2):
            weights = jnp.asarray(factor * WEIGHTS)
            run(bpda(Partial(stairs, weights), backward=OTHER), IMAGE)
            run(bpda(Partial(stairs, weights), backward=OTHER), IMAGE)
        self.assertEqual(run._cache_size(), 1)

    def test_pgd_in_a_loop_gets_through_a_rounding_layer(self):
        # Two classes: the worst corner of the ball of a linear model is known.
        steep, other = (Partial(p.func, p.args[0][:2]) for p in (STEEP, OTHER))
        label = int(np.argmax(steep(IMAGE)))

        def attacked(predict):
            options = {"eps": 0.3, "random_start": False}
            return pgd(jax.random.key(0), predict, IMAGE, label, **options).image

        close(attacked(steep), IMAGE)  # its gradient is zero
        direction = np.sign(WEIGHTS[1 - label] - WEIGHTS[label]).reshape(SHAPE)
        want = np.clip(IMAGE + 0.3 * direction, 0, 1)
        close(attacked(bpda(steep, backward=other)), want, atol=1e-6)

    def test_other_shape_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"float32 \(4,\); got float32 \(3,\)"):
            bpda(STEEP, backward=lambda x: linear(WEIGHTS[:3], x))(IMAGE)
        with self.assertRaisesRegex(ValueError, "backward must return"):
            jax.grad(lambda x: straight_through(lambda x: x[:1])(x).sum())(IMAGE)


class StraightThroughTest(parameterized.TestCase):
    def test_identity(self):
        predict = Partial(through, straight_through(rounded), jnp.asarray(WEIGHTS))
        close(predict(IMAGE), STEEP(IMAGE), rtol=1e-6)
        close(jax.jacrev(predict)(IMAGE).reshape(4, 12), WEIGHTS, rtol=1e-5)

    def test_another_transform(self):
        layer = straight_through(lambda x: rounded(x)[:1], backward=lambda x: 3 * x[:1])
        got = jax.grad(lambda x: layer(x).sum())(IMAGE)
        close(got, np.concatenate([np.full((1, 3, 2), 3.0), np.zeros((1, 3, 2))]))

    def test_random_transform_keeps_its_key(self):
        def jitter(key, image):
            return image + jax.random.normal(key, image.shape)

        layer = straight_through(Partial(jitter, jax.random.key(3)))
        close(layer(IMAGE), jitter(jax.random.key(3), IMAGE))
        close(jax.grad(lambda x: layer(x).sum())(IMAGE), np.ones(SHAPE))
