"""Convolutions with fewer products: where they are taken, and what they return."""

import functools

import jax
from absl.testing import parameterized

from mspd_jax.convolution import convolution
from tests.convolution.derivatives import LAYOUT, arrays_of, assert_same, reverse

# Enough channels and tiles for the Winograd path.
WINOGRAD = {
    "winograd": ((14, 14), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "winograd_odd": ((13, 15), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "winograd_valid": ((15, 16), (3, 3), (1, 1), "VALID"),
    "winograd_lopsided": ((13, 14), (3, 3), (1, 1), [(2, 0), (0, 1)]),
    "winograd_forward_alone": ((13, 14), (3, 3), (1, 1), [(3, 0), (1, 4)]),
}


class WinogradTest(parameterized.TestCase):
    @parameterized.named_parameters((name, *case) for name, case in WINOGRAD.items())
    def test_equals_lax_with_many_channels(self, size, kernel, strides, padding):
        arrays = arrays_of(size, kernel, strides, padding, channels=(50, 48))
        assert_same(reverse, arrays, strides, padding)

    def test_many_channels_and_tiles_take_sixteen_products(self):
        """The Winograd path is taken where it pays off, and only there."""

        def products(size, channels):
            case = (size, (3, 3), (1, 1), [(1, 1), (1, 1)])
            arrays = arrays_of(*case, channels=channels)
            run = functools.partial(
                convolution,
                window_strides=(1, 1),
                padding=case[3],
                dimension_numbers=LAYOUT,
            )
            traced = jax.jit(lambda x, w, g: jax.vjp(run, x, w)[1](g)[0]).trace(
                *arrays[:3]
            )
            lowered = traced.lower(lowering_platforms=("cpu",)).as_text()
            return lowered.count("stablehlo.dot_general")

        self.assertEqual(products((14, 14), (48, 48)), 16)
        self.assertEqual(products((12, 12), (48, 48)), 0)
        self.assertEqual(products((4, 4), (512, 512)), 0)
        self.assertEqual(products((28, 28), (16, 48)), 0)
