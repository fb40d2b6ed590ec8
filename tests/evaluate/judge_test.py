"""The judge: no claim of an attack is believed."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import NORMS
from mspd_jax.evaluate import judge

ORIGINAL = np.full((2, 2, 1), 0.5, np.float32)


def predict(image):
    """Class 1 where the first pixel is above 0.6, else class 0."""
    bright = image[0, 0, 0] - 0.6
    return jnp.stack([-bright, bright, -1.0])


def moved(pixel):
    image = ORIGINAL.copy()
    image[0, 0, 0] = pixel
    return image


class JudgeTest(parameterized.TestCase):
    @parameterized.product(norm=NORMS, pixel=(0.69, 0.9, 7.0, 1e15))
    def test_found_only_inside_the_ball(self, norm, pixel):
        near = judge(predict, ORIGINAL, moved(pixel), 0, eps=0.05, norm=norm)
        self.assertFalse(near.found)
        self.assertLessEqual(near.linf, 0.05 + 1e-6)
        far = judge(predict, ORIGINAL, moved(pixel), 0, eps=0.2, norm=norm)
        self.assertTrue(far.found)
        self.assertEqual(far.prediction, 1)
        self.assertLessEqual(far.l2, 0.2 + 1e-6)
        self.assertTrue(near.finite & far.finite)

    def test_distances_are_measured(self):
        image = ORIGINAL + np.float32([[[0.03], [-0.04]], [[0.0], [0.0]]])
        verdict = judge(predict, ORIGINAL, image, 0, eps=0.1, norm="linf")
        np.testing.assert_allclose(verdict.linf, 0.04, rtol=1e-5)
        np.testing.assert_allclose(verdict.l2, 0.05, rtol=1e-5)

    def test_box_binds(self):
        verdict = judge(predict, ORIGINAL, moved(3.0), 0, eps=2.0, norm="linf")
        self.assertEqual(verdict.image[0, 0, 0], 1.0)

    @parameterized.product(norm=NORMS, pixel=(np.nan, np.inf, -np.inf))
    def test_a_proposal_that_is_not_finite_is_no_attack(self, norm, pixel):
        verdict = judge(predict, ORIGINAL, moved(pixel), 0, eps=0.2, norm=norm)
        np.testing.assert_array_equal(verdict.image, ORIGINAL)
        self.assertFalse(verdict.found)
        self.assertFalse(verdict.finite)
        self.assertEqual(verdict.linf, 0.0)

    def test_nan_logits_are_never_right(self):
        for label in range(3):
            verdict = judge(
                lambda x: jnp.full(3, jnp.nan) * x[0, 0, 0],
                ORIGINAL,
                ORIGINAL,
                label,
                eps=0.1,
                norm="linf",
            )
            self.assertTrue(verdict.found)
            self.assertFalse(verdict.finite)
            self.assertEqual(verdict.prediction, -1)

    def test_target(self):
        bright = moved(0.9)
        for target, want in ((0, False), (1, True), (2, False)):
            verdict = judge(
                predict, ORIGINAL, bright, 0, eps=0.5, norm="linf", target=target
            )
            self.assertEqual(bool(verdict.found), want)

    def test_wrong_before_any_attack_is_found(self):
        self.assertTrue(judge(predict, ORIGINAL, ORIGINAL, 2, eps=0.1, norm="l2").found)

    @parameterized.parameters((0.6449, 0.15, True), (0.6449, 0.138, False))
    def test_an_8_bit_file_rounds_towards_the_original(self, pixel, eps, found):
        # 0.6449 is level 164.4; of an original at level 128 the file holds 164.
        original = np.full((2, 2, 1), 128 / 255, np.float32)
        image = original.copy()
        image[0, 0, 0] = pixel
        verdict = judge(
            lambda x: predict(x + jnp.float32(0.6 - 163.5 / 255)),
            original,
            image,
            0,
            eps=eps,
            norm="linf",
            eight_bit=True,
        )
        self.assertEqual(bool(verdict.found), found)
        levels = np.asarray(verdict.image) * 255
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
        self.assertLessEqual(verdict.linf, eps + 1e-6)

    def test_a_file_outside_the_ball_is_no_success(self):
        # The original is no 8-bit image: its own file is 0.4 levels away.
        original = np.full((2, 2, 1), 160.4 / 255, np.float32)
        settings = {"eps": 0.1 / 255, "norm": "linf", "eight_bit": True}
        self.assertFalse(judge(predict, original, original, 0, **settings).found)
        wide = settings | {"eps": 0.7 / 255}
        self.assertTrue(judge(predict, original, original, 0, **wide).found)

    def test_shapes_must_agree(self):
        with self.assertRaises(AssertionError):
            judge(predict, ORIGINAL, ORIGINAL[0], 0, eps=0.1, norm="linf")

    def test_vmap_keeps_rows_apart(self):
        pixels = (0.5, 0.55, 0.65, np.nan)
        images = np.stack([moved(p) for p in pixels])
        verdict = jax.vmap(
            lambda x: judge(predict, ORIGINAL, x, 0, eps=0.2, norm="linf")
        )(images)
        np.testing.assert_array_equal(verdict.found, [False, False, True, False])
        np.testing.assert_array_equal(verdict.finite, [True, True, True, False])
