"""Neighbors side by side: where they are taken, and what they return."""

from unittest import mock

from absl.testing import parameterized

from mspd_jax.convolution import _wide as wide
from tests.convolution.derivatives import arrays_of, assert_same, reverse

# Few channels and enough pixels to compute neighbors side by side, and how many:
# (channels, height and width, kernel, strides, padding, forward, input gradient).
WIDE = {
    "stem": ((3, 16), (12, 16), (3, 3), (1, 1), [(1, 1), (1, 1)], 4, 4),
    "thin": ((16, 16), (12, 12), (3, 3), (1, 1), [(1, 1), (1, 1)], 2, 2),
    "to_logits": ((8, 2), (16, 16), (3, 3), (1, 1), "SAME", 4, 4),
    "valid": ((3, 16), (18, 14), (3, 3), (1, 1), "VALID", 4, 2),
    "lopsided": ((16, 5), (13, 12), (3, 3), (1, 1), [(2, 0), (0, 4)], 2, 4),
    "cropped": ((3, 4), (20, 17), (3, 3), (1, 1), [(-1, 0), (1, -2)], 2, 1),
    "even_kernel": ((2, 8), (17, 12), (2, 4), (1, 1), [(1, 0), (2, 1)], 4, 4),
    "stride": ((3, 8), (33, 32), (5, 7), (2, 2), [(2, 2), (3, 3)], 4, 4),
    "long_stride": ((1, 4), (17, 64), (3, 8), (1, 4), [(1, 1), (2, 2)], 4, 8),
    "odd_width": ((3, 16), (20, 13), (3, 3), (1, 1), [(1, 1), (1, 1)], 1, 1),
    "few_pixels": ((3, 16), (4, 8), (3, 3), (1, 1), [(1, 1), (1, 1)], 1, 1),
}


class WideTest(parameterized.TestCase):
    @parameterized.named_parameters((name, *case) for name, case in WIDE.items())
    def test_equals_lax_with_few_channels(
        self, channels, size, kernel, strides, padding, forward, backward
    ):
        arrays = arrays_of(size, kernel, strides, padding, channels=channels)
        seen = []
        original = wide.neighbors

        def spy(*arguments):
            seen.append(original(*arguments))
            return seen[-1]

        with mock.patch.object(wide, "neighbors", spy):
            assert_same(reverse, arrays, strides, padding)
        self.assertEqual(seen[0], forward)
        self.assertEqual(max(seen[1:]), backward)
