"""A check and its verdict; what counts as noise."""

from absl.testing import parameterized

from mspd_jax.evaluate import Check, failed_lines, is_reliable
from mspd_jax.evaluate.checks._check import beyond_noise, noise_allowed

GOOD = Check("a", True, "1 of 2", "at most 1", "do this")
OPEN = GOOD._replace(name="b", passed=None)
BAD = GOOD._replace(name="c", passed=False)


class VerdictTest(parameterized.TestCase):
    def test_only_a_failed_check_is_unreliable(self):
        self.assertTrue(is_reliable([]))
        self.assertTrue(is_reliable([GOOD, OPEN]))
        self.assertFalse(is_reliable([GOOD, BAD, OPEN]))

    def test_only_failed_checks_have_a_line(self):
        self.assertEqual(
            failed_lines([GOOD, BAD, OPEN]),
            ["unreliable: c: measured 1 of 2; threshold at most 1; do this"],
        )

    @parameterized.parameters(
        (1, 32, False),
        (2, 32, True),
        (2, 200, False),
        (3, 200, True),
        (5, 500, False),
        (6, 500, True),
        (0.01 * 700, 700, False),
        (-3, 32, False),
    )
    def test_two_images_and_more_than_one_percent(self, images, count, worrying):
        self.assertEqual(beyond_noise(images, count), worrying)

    def test_noise_in_words(self):
        self.assertEqual(noise_allowed(32), "1 of 32 images")
        self.assertEqual(noise_allowed(700), "7 of 700 images")
