"""Static arguments: what is refused, and how it is named."""

from absl.testing import parameterized

from mspd_jax.attacks import NORMS
from mspd_jax.attacks._checks import check_count, check_norm


class ChecksTest(parameterized.TestCase):
    @parameterized.parameters(*NORMS)
    def test_known_norms_pass(self, norm):
        check_norm(norm)

    @parameterized.parameters(
        ("l0", NORMS, "norm must be one of linf, l2, l1; got 'l0'"),
        ("l1", ("linf", "l2"), "norm must be one of linf, l2; got 'l1'"),
        (None, NORMS, "got None"),
    )
    def test_other_norms_do_not(self, norm, allowed, message):
        with self.assertRaisesRegex(ValueError, message):
            check_norm(norm, allowed)

    @parameterized.parameters((1, 1), (7, 1), (0, 0))
    def test_counts_pass(self, value, least):
        check_count("steps", value, least=least)

    @parameterized.parameters((0, 1), (1.0, 1), (True, 1), ("3", 1), (-1, 0))
    def test_what_is_no_count_does_not(self, value, least):
        message = f"steps must be an integer of at least {least}; got {value!r}"
        with self.assertRaisesRegex(ValueError, message):
            check_count("steps", value, least=least)
