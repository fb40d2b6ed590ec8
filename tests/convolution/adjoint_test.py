"""The input gradient: no kernel is read with its channels swapped in place."""

import functools

import jax
from absl.testing import parameterized
from jax import lax

from mspd_jax.convolution import convolution
from tests.convolution.derivatives import LAYOUT, arrays_of


class AdjointTest(parameterized.TestCase):
    @parameterized.parameters(1, 2)
    def test_no_kernel_is_swapped_in_place(self, stride):
        """The slow layout is gone: the reason for a gradient of our own."""
        arrays = arrays_of((6, 6), (3, 3), (stride, stride), [(1, 1), (1, 1)])

        def swapped(conv):
            conv = functools.partial(
                conv,
                window_strides=(stride, stride),
                padding=[(1, 1), (1, 1)],
                dimension_numbers=LAYOUT,
            )
            pullback = jax.jit(lambda x, w, g: jax.vjp(lambda x: conv(x, w), x)[1](g))
            lowered = pullback.trace(*arrays[:3]).lower(lowering_platforms=("cpu",))
            return "x[0, 1, o, i]->" in lowered.as_text()

        self.assertTrue(swapped(lax.conv_general_dilated))
        self.assertFalse(swapped(convolution))
