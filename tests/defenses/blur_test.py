"""Blurs against SciPy, and where their gradients go."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import ndimage

from mspd_jax.defenses import gaussian_blur, median_blur
from tests.defenses.contract import check_contract, pictures

SHAPES = ((9, 7, 3), (3, 4, 1))
blur = jax.jit(gaussian_blur)
median = jax.jit(median_blur, static_argnames="size")
slopes = jax.jit(
    jax.grad(
        lambda image, other, width: jnp.sum(other * gaussian_blur(image, width=width)),
        argnums=(0, 2),
    )
)


def image_of(shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def by_scipy(image, width):
    """One side after the other, since the reach may differ."""
    result = np.float64(image)
    for axis in (0, 1):
        reach = min(int(4 * width + 0.5), image.shape[axis])
        result = ndimage.gaussian_filter1d(
            result, width, axis=axis, mode="reflect", radius=reach
        )
    return result


class GaussianBlurTest(parameterized.TestCase):
    @parameterized.product(shape=SHAPES, width=(0.3, 0.5, 1.0, 1.7, 4.0))
    def test_is_that_of_scipy(self, shape, width):
        image = image_of(shape)
        np.testing.assert_allclose(
            blur(image, width=width), by_scipy(image, width), atol=2e-6
        )

    def test_reaches_four_widths(self):
        image = image_of((21, 17, 1))
        want = ndimage.gaussian_filter(np.float64(image), (2, 2, 0), truncate=4)
        np.testing.assert_allclose(blur(image, width=2.0), want, atol=2e-6)

    def test_no_width_no_blur(self):
        image = image_of((9, 7, 3))
        np.testing.assert_array_equal(blur(image, width=0.0), image)
        _, by_width = slopes(image, image, 0.0)
        self.assertTrue(np.isfinite(by_width))

    def test_gradients(self):
        image, other = image_of((9, 7, 3)), image_of((9, 7, 3), seed=1)
        by_image, by_width = slopes(image, other, 1.2)
        moved = image_of((9, 7, 3), seed=2)
        want = np.sum(other * by_scipy(moved, 1.2))  # it is linear
        np.testing.assert_allclose(np.sum(by_image * moved), want, rtol=1e-5)
        rise = by_scipy(image, 1.2001) - by_scipy(image, 1.1999)
        np.testing.assert_allclose(by_width, np.sum(other * rise) / 2e-4, rtol=1e-3)

    def test_width_does_not_compile_again(self):
        run = jax.jit(lambda image, width: gaussian_blur(image, width=width))
        for width in (0.5, 2.0):
            run(image_of((3, 4, 1)), width)
        self.assertEqual(run._cache_size(), 1)

    def test_contract(self):
        transform = functools.partial(gaussian_blur, width=1.0)
        check_contract(self, transform, pictures((9, 7, 3)))

    @parameterized.parameters(-0.1, float("nan"), float("inf"))
    def test_bad_width(self, width):
        with self.assertRaisesRegex(ValueError, "width must be finite and at least 0"):
            gaussian_blur(jnp.ones((4, 4, 1)), width=width)


class MedianBlurTest(parameterized.TestCase):
    @parameterized.parameters(
        (SHAPES[0], 1), (SHAPES[0], 3), (SHAPES[0], 5), (SHAPES[0], 9), (SHAPES[1], 7)
    )
    def test_is_that_of_scipy(self, shape, size):
        for image in (image_of(shape), np.round(3 * image_of(shape)) / 3):
            want = ndimage.median_filter(image, size=(size, size, 1), mode="reflect")
            np.testing.assert_array_equal(median(image, size=size), want)

    def test_gradient_flows_to_the_chosen_pixel(self):
        size, shape = 5, (6, 4, 1)
        image, weight = image_of(shape), image_of(shape, seed=1)
        want = np.zeros_like(image)
        chosen = ndimage.median_filter(image, size=(size, size, 1), mode="reflect")
        for place, value in np.ndenumerate(chosen):
            want[image == value] += weight[place]  # all pixels differ
        got = jax.jit(jax.grad(lambda x: jnp.sum(weight * median_blur(x, size=size))))
        np.testing.assert_allclose(got(image), want, rtol=1e-5)

    def test_equal_pixels_share_the_gradient(self):
        # The middle of 3x3: two of the nine are equal to the median.
        image = np.array([[1, 2, 3], [4, 5, 5], [7, 8, 9]], np.float32)[..., None] / 10
        middle = jax.jit(jax.grad(lambda x: median_blur(x, size=3)[1, 1, 0]))
        want = np.zeros((3, 3, 1))
        want[1, 1:] = 0.5
        np.testing.assert_array_equal(middle(image), want)

    def test_contract(self):
        transform = functools.partial(median_blur, size=3)
        check_contract(self, transform, pictures((9, 7, 3)), rounding=0.0)

    @parameterized.parameters(
        (2, "size must be odd; got 2"),
        (0, "size must be an integer of at least 1; got 0"),
        (3.0, "size must be an integer of at least 1; got 3.0"),
    )
    def test_bad_size(self, size, message):
        with self.assertRaisesRegex(ValueError, message):
            median_blur(jnp.ones((4, 4, 1)), size=size)
