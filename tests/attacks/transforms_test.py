"""Resizing and translations: what makes gradients transfer, against numpy and SciPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import ndimage, stats

from mspd_jax.attacks import _transforms

SHAPE = (5, 4, 2)
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=40).astype(np.float32)
KEY = jax.random.key(0)


def plane(image):
    return (jnp.array(WEIGHTS) @ image.reshape(-1))[None]


class DiversityTest(parameterized.TestCase):
    def test_probability_of_zero_changes_nothing(self):
        got = _transforms.diversify(KEY, IMAGE, probability=0.0, resize=0.5)
        np.testing.assert_array_equal(got, IMAGE)

    def test_constant_inside_and_zero_outside(self):
        side = 10
        one = functools.partial(_transforms.diversify, probability=1.0, resize=0.6)
        many = jax.jit(jax.vmap(one, in_axes=(0, None)))(
            jax.random.split(KEY, 400), jnp.full((side, side, 1), 0.7)
        )
        corners = set()
        for got in np.asarray(many)[..., 0]:
            rows, columns = np.nonzero(np.any(got, 1))[0], np.nonzero(np.any(got, 0))[0]
            length = len(rows)
            self.assertEqual(len(columns), length)
            np.testing.assert_allclose(got[np.ix_(rows, columns)], 0.7, rtol=1e-6)
            self.assertAlmostEqual(np.sum(got), 0.7 * length**2, places=3)
            corners.add((length, rows[0], columns[0]))
        # All lengths 6..10, and where they go: 25 + 16 + 9 + 4 + 1 possible places. One
        # of the 25, each of probability 1 / 125, is missing with probability .04, so
        # that 8 or more are once in 10^5.
        self.assertEqual({length for length, _, _ in corners}, {6, 7, 8, 9, 10})
        self.assertGreater(len(corners), 55 - 8)
        self.assertLessEqual(len(corners), 55)

    def test_applied_with_its_probability(self):
        one = functools.partial(_transforms.diversify, probability=0.5, resize=0.6)
        many = jax.jit(jax.vmap(one, in_axes=(0, None)))(
            jax.random.split(KEY, 1000), jnp.ones((10, 10, 1))
        )
        # Black appears in .5 * 4/5 = .4 (a fifth of the draws are of full size):
        # standard deviation .0155, 5 of them.
        black = np.any(np.asarray(many) == 0, axis=(1, 2, 3))
        self.assertAlmostEqual(np.mean(black), 0.4, delta=0.078)

    @parameterized.parameters((9, 8), (9, 5), (4, 1), (7, 7))
    def test_linear_interpolation_between_pixel_centers(self, side, length):
        # size picks the length: with resize 0 all of 1..side (0 is lifted to 1).
        size = (length + 0.5) / (side + 1)
        got = _transforms.resampling(side, size, 0.0, resize=0.0)
        signal = np.random.default_rng(0).normal(size=side)
        centers = (np.arange(length) + 0.5) * side / length - 0.5
        want = np.interp(centers, np.arange(side), signal)
        np.testing.assert_allclose(
            got @ signal.astype(np.float32), np.pad(want, (0, side - length)), atol=1e-5
        )

    def test_gradient_flows_back_through_it(self):
        # The attack of a linear model is that of its weights seen through the matrix.
        def loss(x):
            return plane(_transforms.diversify(KEY, x, probability=1.0, resize=0.5))[0]

        gradient = jax.grad(loss)(jnp.array(IMAGE))
        basis = np.eye(40, dtype=np.float32).reshape(40, *SHAPE)
        want = [loss(jnp.array(x)) for x in basis]
        np.testing.assert_allclose(gradient.ravel(), want, atol=1e-5)


class TranslationTest(parameterized.TestCase):
    @parameterized.parameters(
        (15, 3.0, 21, 17), (5, 2.0, 7, 9), (15, 3.0, 5, 4), (1, 3.0, 3, 3)
    )
    def test_convolution_with_scipys_gaussian(self, kernel, sigmas, height, width):
        profile = stats.norm.pdf(np.linspace(-sigmas, sigmas, kernel))
        gaussian = np.outer(profile, profile) / np.sum(np.outer(profile, profile))
        gradient = np.random.default_rng(0).normal(size=(height, width, 2))
        got = _transforms.smooth(
            jnp.array(gradient, jnp.float32), kernel=kernel, sigmas=sigmas
        )
        for channel in range(2):
            want = ndimage.convolve(gradient[..., channel], gaussian, mode="constant")
            np.testing.assert_allclose(got[..., channel], want, atol=1e-5)

    def test_kernel_sums_to_one(self):
        point = jnp.zeros((31, 31, 1)).at[15, 15].set(1.0)
        got = _transforms.smooth(point, kernel=15, sigmas=3.0)
        self.assertAlmostEqual(float(jnp.sum(got)), 1.0, places=5)
        self.assertEqual(np.sum(np.asarray(got) > 0), 225)
