"""The parts of Auto-PGD: its starts, and its sparse direction against a sort."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks._apgd_steps import (
    border_noise,
    dark_start,
    sparse_direction,
)

SHAPE = (4, 3, 2)
GRADIENT = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


class BorderNoiseTest(parameterized.TestCase):
    @parameterized.parameters(("linf", np.inf, 0.1), ("l2", 2, 0.4), ("l1", 1, 3.0))
    def test_lies_on_the_border(self, norm, order, eps):
        image = jnp.full(SHAPE, 0.5)
        x = border_noise(jax.random.key(0), image, eps=eps, norm=norm)
        length = np.linalg.norm(np.ravel(x - image), order)
        self.assertAlmostEqual(length, eps, places=5)
        self.assertGreater(np.std(x - image), 0)

    @parameterized.parameters("linf", "l2", "l1")
    def test_stays_in_the_box(self, norm):
        image = jnp.zeros(SHAPE)
        x = border_noise(jax.random.key(0), image, eps=0.5, norm=norm)
        self.assertEqual(np.min(x), 0.0)
        self.assertGreater(np.max(x), 0.0)

    def test_linf_is_uniform_up_to_its_largest(self):
        # 2,000 draws of one entry: the largest of 24 uniform ones is at 1, the others
        # are uniform below it. Mean of |noise| / eps over all but the largest is 1/2;
        # its standard error is 0.29 / sqrt(46,000): six of them leave 2e-9.
        keys = jax.random.split(jax.random.key(1), 2000)
        image = jnp.full(SHAPE, 0.5)
        draw = jax.vmap(lambda k: border_noise(k, image, eps=0.1, norm="linf"))
        size = np.sort(np.abs(np.asarray(draw(keys)) - 0.5).reshape(2000, -1), axis=1)
        self.assertAlmostEqual(np.mean(size[:, :-1]) / 0.1, 0.5, delta=0.0081)


class DarkStartTest(parameterized.TestCase):
    def test_darkens_bright_pixels_and_stays_in_the_ball(self):
        image = jnp.full((8, 8, 1), 0.1).at[2:4, :, 0].set(0.9)
        keys = jax.random.split(jax.random.key(2), 20)
        draw = jax.vmap(lambda k: dark_start(k, image, eps=4.0, norm="l1"))
        change = np.asarray(draw(keys), np.float64) - np.asarray(image, np.float64)
        length = np.abs(change).sum((1, 2, 3))
        self.assertLessEqual(length.max(), 4.0 + 1e-6)
        self.assertGreater(length.min(), 4.0 - 1e-4)
        # 20 draws: black would be -0.9 for a quarter, and -0.1 for the others.
        self.assertLess(np.mean(change[:, 2:4]), -0.05)
        self.assertGreater(np.mean(change[:, 4:]), -0.02)
        self.assertGreater(np.std(change[:, 0, 0]), 0)

    def test_no_budget_is_the_image(self):
        image = jnp.array(np.random.default_rng(1).uniform(size=SHAPE), "float32")
        got = dark_start(jax.random.key(0), image, eps=0.0, norm="l1")
        np.testing.assert_array_equal(got, image)


class SparseDirectionTest(parameterized.TestCase):
    @parameterized.product(count=(1, 5, 23, 24), scale=(1e-30, 1.0, 1e30))
    def test_equals_a_sort(self, count, scale):
        gradient = np.float32(scale) * GRADIENT
        got = sparse_direction(jnp.array(gradient), count)
        chosen = np.argsort(-np.abs(gradient.ravel()))[:count]
        want = np.zeros(24)
        want[chosen] = np.sign(gradient.ravel()[chosen]) / count
        np.testing.assert_allclose(np.ravel(got), want, rtol=1e-6)

    def test_ties_are_all_taken_and_zeros_none(self):
        gradient = jnp.zeros(SHAPE).at[:2, 0, 0].set(-3.0).at[2, 0, 0].set(1.0)
        want = np.zeros(SHAPE)
        want[:2, 0, 0] = -0.5
        np.testing.assert_array_equal(sparse_direction(gradient, 1.0), want)
        full = np.sign(gradient) / 3
        np.testing.assert_allclose(sparse_direction(gradient, 9.0), full, rtol=1e-6)

    def test_nothing_asked_for_is_one(self):
        got = sparse_direction(jnp.array(GRADIENT), 0.0)
        self.assertEqual(np.count_nonzero(got), 1)

    def test_broken_gradients_give_finite_steps(self):
        np.testing.assert_array_equal(sparse_direction(jnp.zeros(SHAPE), 3), 0)
        broken = jnp.full(SHAPE, jnp.nan).at[1, 0, 0].set(-jnp.inf)
        want = np.zeros(SHAPE)
        want[1, 0, 0] = -1.0
        np.testing.assert_array_equal(sparse_direction(broken, 3), want)
