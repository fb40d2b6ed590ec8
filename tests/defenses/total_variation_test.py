"""Total variation minimization: duality gaps in float64, closed forms, gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.defenses import total_variation
from tests.defenses.contract import check_contract, pictures

IMAGES = pictures((9, 11, 3), count=3)
flat = jax.jit(total_variation, static_argnames="steps")


def slopes(image):
    """float64 [2, H, W, C]."""
    result = np.zeros((2, *image.shape))
    result[0, :-1] = np.diff(image, axis=0)
    result[1, :, :-1] = np.diff(image, axis=1)
    return result


def pulled_back(dual):
    """The adjoint of `slopes`."""
    down, right = dual[0, :-1], dual[1, :, :-1]
    result = np.zeros(dual.shape[1:])
    result[1:] += down
    result[:-1] -= down
    result[:, 1:] += right
    result[:, :-1] -= right
    return result


def norms(dual):
    return np.sqrt(np.square(dual).sum(axis=(0, 3), keepdims=True))


def cost(result, image, weight):
    return np.square(result - image).sum() / 2 + weight * norms(slopes(result)).sum()


@functools.cache
def best(number, weight, steps=2_000):
    """The minimizer and a lower bound of the cost, by accelerated projections.

    Every dual variable of norm <= weight bounds the cost from below (Beck and Teboulle
    2009 find a good one): |x|^2 / 2 - |x - A^T q|^2 / 2.
    """
    image = np.float64(IMAGES[number])
    dual = ahead = np.zeros((2, *image.shape))
    pace = 1.0
    for _ in range(steps):
        moved = ahead + slopes(image - pulled_back(ahead)) / 8
        moved /= np.maximum(1.0, norms(moved) / weight)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = moved + (pace - 1) / faster * (moved - dual)
        dual, pace = moved, faster
    result = image - pulled_back(dual)
    return result, (np.square(image).sum() - np.square(result).sum()) / 2


class TotalVariationTest(parameterized.TestCase):
    @parameterized.product(number=(1, 2), weight=(0.02, 0.15))
    def test_is_the_minimizer(self, number, weight):
        image = np.float64(IMAGES[number])
        want, bound = best(number, weight)
        self.assertLess(cost(want, image, weight) - bound, 1e-5)
        gaps = [
            cost(np.float64(flat(image, weight=weight, steps=steps)), image, weight)
            - bound
            for steps in (10, 50, 400)
        ]
        before = cost(image, image, weight) - bound
        self.assertLess(gaps[1], 0.02 * before)
        self.assertLess(gaps[2], 1e-3 * before)
        self.assertLess(gaps[1], gaps[0])
        # The cost is 1-strongly convex: the gap bounds half the squared distance.
        got = flat(image, weight=weight, steps=400)
        np.testing.assert_allclose(got, want, atol=np.sqrt(2 * gaps[2]) + 1e-4)

    @parameterized.parameters((1, 9, 4), (3, 9, 4), (3, 9, 2))
    def test_a_step_shrinks_by_perimeter_over_area(self, rows, columns, left):
        image = np.full((rows, columns, 1), 0.8, np.float32)
        image[:, :left] = 0.3
        weight = 0.1
        want = image.copy()
        want[:, :left] += weight / left
        want[:, left:] -= weight / (columns - left)
        got = flat(image, weight=weight, steps=400)
        np.testing.assert_allclose(got, want, atol=1e-4)

    def test_channels_that_share_an_edge_share_its_cost(self):
        # Three equal channels: a step of norm sqrt(3) h costs weight / sqrt(3) each.
        image = np.full((1, 9, 3), 0.8, np.float32)
        image[:, :4] = 0.3
        got = flat(image, weight=0.1, steps=400)
        np.testing.assert_allclose(got[0, 0], 0.3 + 0.1 / np.sqrt(3) / 4, atol=1e-4)

    def test_a_huge_weight_leaves_the_mean(self):
        got = flat(IMAGES[1], weight=5.0, steps=400)
        want = np.broadcast_to(IMAGES[1].mean(axis=(0, 1)), IMAGES[1].shape)
        np.testing.assert_allclose(got, want, atol=0.02)

    def test_no_weight_and_no_edges_change_nothing(self):
        np.testing.assert_allclose(
            flat(IMAGES[2], weight=0.0, steps=50), IMAGES[2], atol=1e-7
        )
        plain = np.full_like(IMAGES[0], 0.7)
        np.testing.assert_array_equal(flat(plain, weight=0.3, steps=50), plain)

    def test_gradients_are_those_of_finite_differences(self):
        other = np.random.default_rng(0).normal(size=(2, 9, 11, 3)).astype(np.float32)

        @jax.jit
        @functools.partial(jax.value_and_grad, argnums=(0, 1))
        def score(image, weight):
            return jnp.sum(other[0] * total_variation(image, weight=weight))

        image, weight = IMAGES[1], np.float32(0.05)
        _, (by_image, by_weight) = score(image, weight)
        step = np.float32(1e-3) * other[1]
        rise = score(image + step, weight)[0] - score(image - step, weight)[0]
        np.testing.assert_allclose(2 * np.sum(step * by_image), rise, rtol=0.01)
        change = np.float32(1e-3)
        rise = score(image, weight + change)[0] - score(image, weight - change)[0]
        np.testing.assert_allclose(2 * change * by_weight, rise, rtol=0.01)
        # Where nothing moves the norm has no derivative: zero is taken, not NaN.
        for flat_image, no_weight in ((np.zeros_like(image), 0.05), (image, 0.0)):
            _, found = score(flat_image, np.float32(no_weight))
            self.assertTrue(all(np.isfinite(x).all() for x in found))

    def test_contract(self):
        calm = functools.partial(total_variation, weight=0.05)
        check_contract(self, calm, IMAGES)

    def test_weight_does_not_compile_again(self):
        run = jax.jit(lambda image, weight: total_variation(image, weight=weight))
        for weight in (0.1, 0.2):
            run(IMAGES[0], weight)
        self.assertEqual(run._cache_size(), 1)

    @parameterized.parameters(
        ({"weight": -0.1}, "weight must be finite and at least 0; got -0.1"),
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"steps": 2.5}, "steps must be an integer of at least 1; got 2.5"),
    )
    def test_bad_options(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            total_variation(IMAGES[0], **{"weight": 0.1} | options)
