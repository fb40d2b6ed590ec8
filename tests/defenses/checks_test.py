"""Arguments of purifiers: what is accepted, and how the rest is refused."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.defenses._checks import check_amount, check_integer, check_jpeg_image


class ChecksTest(parameterized.TestCase):
    @parameterized.parameters((1, 1), (np.int64(8), 8))
    def test_integers_in_range(self, value, expected):
        found = check_integer("bits", value, least=1, most=8)
        self.assertEqual((found, type(found)), (expected, int))

    @parameterized.parameters(0, 9, 2.0, True, "3", None)
    def test_other_numbers_are_refused(self, value):
        message = f"bits must be an integer of 1 to 8; got {value!r}"
        with self.assertRaisesRegex(ValueError, message):
            check_integer("bits", value, least=1, most=8)

    def test_without_an_upper_end(self):
        self.assertEqual(check_integer("steps", 10**9, least=1), 10**9)
        with self.assertRaisesRegex(ValueError, "an integer of at least 1; got 0"):
            check_integer("steps", 0, least=1)

    @parameterized.parameters(-0.1, float("nan"), float("inf"), np.float32(-1))
    def test_amounts_are_finite_and_not_negative(self, value):
        with self.assertRaisesRegex(ValueError, "width must be finite and at least 0"):
            check_amount("width", value)

    def test_traced_amounts_and_zero_pass(self):
        check_amount("width", 0.0)
        jax.jit(lambda width: check_amount("width", width) or width)(-1.0)

    def test_images_that_a_jpeg_file_holds(self):
        for channels in (1, 3):
            check_jpeg_image(jnp.zeros((4, 5, channels)))
        with self.assertRaisesRegex(ValueError, r"got \(4, 5, 4\)"):
            check_jpeg_image(jnp.zeros((4, 5, 4)))
        with self.assertRaises(AssertionError):
            check_jpeg_image(jnp.zeros((4, 5)))
