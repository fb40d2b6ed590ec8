"""Rounding to 8 bits against enumeration and against the ball's definition."""

import itertools

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from mspd_jax.data import quantize

# Distance that float32 cannot tell from nothing, in pixel units.
ROUNDING = 1e-7


def pixels(values):
    return np.array(values, np.float64).reshape(1, -1, 1)


def nearest_in_ball(image, original, eps, norm):
    """Least distance to `image` of an 8-bit image of the ball, by enumeration."""
    best = None
    around = [
        range(max(0, int(255 * v) - 4), min(255, int(255 * v) + 5) + 1)
        for v in original.ravel()
    ]
    for levels in itertools.product(*around):
        candidate = np.array(levels).reshape(original.shape) / 255
        if distance(candidate, original, norm) <= eps + ROUNDING:
            error = np.linalg.norm(candidate - image)
            best = error if best is None else min(best, error)
    return best


def distance(image, original, norm):
    difference = np.abs(np.float64(image) - np.float64(original))
    return difference.max() if norm == "linf" else np.linalg.norm(difference)


class QuantizeTest(parameterized.TestCase):
    @parameterized.product(level=[0, 1, 100, 247, 254, 255], sign=[-1, 1], k=[0, 1, 8])
    def test_8_255_reaches_exactly_8_levels(self, level, sign, k):
        original = np.full((2, 2, 1), level, np.float32) / np.float32(255)
        eps = np.float32(k / 255)
        moved = quantize(original + sign * 2 * eps, original, eps=eps, norm="linf")
        want = np.clip(level + sign * k, 0, 255)
        np.testing.assert_array_equal(moved, np.full((2, 2, 1), want))

    @parameterized.product(norm=["linf", "l2"], bits=[True, False])
    def test_random_images_stay_in_ball_and_box(self, norm, bits):
        generator = np.random.default_rng(0)
        for _ in range(300):
            shape = tuple(generator.integers(1, 9, 2)) + (
                int(generator.choice([1, 3])),
            )
            original = generator.random(shape)
            if bits:
                original = np.rint(original * 255) / 255
            # Half a level keeps the l_inf ball of a float original from being empty.
            least = 0.5 if norm == "linf" else 0.5 * np.sqrt(original.size)
            eps = (generator.random() * 20 + (0 if bits else least)) / 255
            image = original + generator.normal(size=shape) * eps * 2
            rounded = quantize(
                np.float32(image), np.float32(original), eps=np.float32(eps), norm=norm
            )
            self.assertEqual(rounded.dtype, np.uint8)
            away = distance(rounded / 255, np.float32(original), norm)
            self.assertLessEqual(away, eps + ROUNDING * 2)

    @parameterized.parameters("linf", "l2")
    def test_an_8_bit_image_of_the_ball_is_kept(self, norm):
        generator = np.random.default_rng(1)
        for _ in range(100):
            original = generator.integers(0, 256, (3, 3, 3))
            image = np.clip(original + generator.integers(-3, 4, (3, 3, 3)), 0, 255)
            eps = distance(image / 255, original / 255, norm)
            rounded = quantize(
                np.float32(image) / np.float32(255),
                np.float32(original) / np.float32(255),
                eps=np.float32(eps),
                norm=norm,
            )
            np.testing.assert_array_equal(rounded, image)

    def test_linf_is_the_nearest_8_bit_image_of_the_ball(self):
        generator = np.random.default_rng(2)
        for _ in range(200):
            original = pixels(generator.random(2))
            eps = (0.5 + 3 * generator.random()) / 255
            image = original + generator.uniform(-2, 2, original.shape) * eps
            rounded = quantize(image, original, eps=eps, norm="linf") / 255
            best = nearest_in_ball(image, original, eps, "linf")
            self.assertAlmostEqual(np.linalg.norm(rounded - image), best, delta=1e-9)

    def test_l2_finds_an_image_wherever_there_is_one_and_a_near_one(self):
        generator = np.random.default_rng(3)
        empty = 0
        for _ in range(300):
            original = pixels(generator.random(3))
            eps = 2 * generator.random() / 255
            away = generator.normal(size=original.shape)
            away *= eps * generator.random() / np.linalg.norm(away)
            image = np.clip(original + away, 0, 1)
            best = nearest_in_ball(image, original, eps, "l2")
            if best is None:
                empty += 1
                with self.assertRaisesRegex(ValueError, "no 8-bit image"):
                    quantize(image, original, eps=eps, norm="l2")
                continue
            rounded = quantize(image, original, eps=eps, norm="l2") / 255
            self.assertLessEqual(distance(rounded, original, "l2"), eps + ROUNDING)
            # Greedy, so not always the nearest, but each pixel within a level.
            self.assertLessEqual(np.linalg.norm(rounded - image), best + 1 / 255)
        self.assertBetween(empty, 10, 200)  # both branches are met

    def test_l2_rounds_towards_the_original_only_where_it_must(self):
        # 1.5 levels away in each of two pixels; the ball of 2.5 levels lets one of
        # them (the first) round up to 2 and makes the other round down to 1.
        original = pixels([100, 100]) / 255
        image = original + 1.6 / 255
        rounded = quantize(image, original, eps=2.5 / 255, norm="l2")
        np.testing.assert_array_equal(rounded.ravel(), [101, 102])
        wide = quantize(image, original, eps=3 / 255, norm="l2")
        np.testing.assert_array_equal(wide.ravel(), [102, 102])

    @parameterized.parameters("linf", "l2")
    def test_a_ball_without_8_bit_images_is_an_error_with_numbers(self, norm):
        original = pixels([0.5])  # 127.5 levels
        with pytest.raises(ValueError, match=r"no 8-bit image.*0\.001.*0\.0019"):
            quantize(original, original, eps=0.001, norm=norm)

    @parameterized.named_parameters(
        ("norm", dict(norm="l1"), "norm must be"),
        ("negative", dict(eps=-0.1), "eps must be"),
        ("nan_eps", dict(eps=float("nan")), "eps must be"),
        ("nan_image", dict(image=pixels([np.nan])), "image must be finite"),
        ("range", dict(original=pixels([2.0])), "original must be in"),
        ("nan_original", dict(original=pixels([np.nan])), "original must be in"),
        ("shape", dict(image=pixels([0.1, 0.2])), "image is"),
    )
    def test_bad_arguments_are_named(self, change, message):
        arguments = dict(
            image=pixels([0.5]), original=pixels([0.5]), eps=0.1, norm="l2"
        )
        with self.assertRaisesRegex(ValueError, message):
            quantize(**(arguments | change))


if __name__ == "__main__":
    absltest.main()
