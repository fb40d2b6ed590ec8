"""The convolution that reads no pixel outside its windows."""

import jax
import numpy as np
from absl.testing import parameterized
from jax import lax

from mspd_jax.convolution._direct import convolve

LAYOUT = ("NHWC", "HWIO", "NHWC")


class DirectTest(parameterized.TestCase):
    @parameterized.parameters(
        (3, (1, 1), ((1, 1), (1, 1)), (8, 9)),
        (7, (2, 2), ((3, 3), (3, 3)), (16, 15)),
        (1, (2, 2), ((0, 0), (0, 0)), (7, 8)),
        (3, (2, 1), ((0, 1), (2, 0)), (8, 8)),
        (2, (3, 2), ((-1, -1), (0, -2)), (12, 11)),
    )
    def test_values_are_those_of_lax(self, kernel, strides, padding, size):
        images = jax.random.normal(jax.random.key(0), (2, *size, 3))
        weights = jax.random.normal(jax.random.key(1), (kernel, kernel, 3, 5))
        want = lax.conv_general_dilated(
            images, weights, strides, padding, dimension_numbers=LAYOUT
        )
        got = convolve(images, weights, strides, padding, None)
        np.testing.assert_allclose(got, want, atol=2e-5, rtol=0)
