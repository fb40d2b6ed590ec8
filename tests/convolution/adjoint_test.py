"""The input gradient: no kernel is read with its channels swapped in place."""

import functools
import re

import jax
from absl.testing import parameterized
from jax import lax
from jax import numpy as jnp

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

    @parameterized.parameters((1, 3), (2, 3), (1, 1))
    def test_a_loop_of_gradients_turns_each_kernel_once(self, stride, side):
        """Parts of the kernel are computed before the loop; of one pixel, never."""

        def value(x, kernel):
            shape = ((stride, stride), "SAME")
            out = convolution(x, kernel, *shape, dimension_numbers=LAYOUT)
            return jnp.sum(out**2)

        def attacked(x, kernel):
            return lax.fori_loop(0, 9, lambda _, x: x + jax.grad(value)(x, kernel), x)

        shapes = [(1, 6, 6, 5), (side, side, 5, 7)]
        arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
        program = jax.jit(attacked).lower(*arguments).compile().as_text()
        name = re.search(r"body=(%[\w.-]+)", program)[1]
        body = program[program.index(f"\n{name} ") :].split("\n}", 1)[0]
        self.assertIn("f32[1,6,6,5]", body)
        parts = r"= f32\[(?:\d,\d,)?7,5\]\S* "
        turned = re.findall(parts + r"(?!get-tuple-element)\S+", body)
        self.assertEqual(turned, [])
