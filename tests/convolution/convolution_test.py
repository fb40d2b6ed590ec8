"""The convolution equals `lax.conv_general_dilated` in values and all derivatives."""

import functools

import flax.linen as nn
import jax
import numpy as np
from absl.testing import parameterized
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution import convolution
from tests.convolution.derivatives import (
    LAYOUT,
    arrays_of,
    assert_same,
    first_order,
    second_order,
)

# name: (height and width, kernel, strides, padding)
DIRECT = {
    "same": ((6, 6), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "odd": ((7, 5), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "tiny": ((1, 2), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "valid": ((7, 6), (3, 3), (1, 1), "VALID"),
    "lopsided": ((6, 5), (3, 3), (1, 1), [(2, 0), (0, 3)]),
    "cropped": ((9, 8), (3, 3), (1, 1), [(-1, 0), (1, -2)]),
    "wide_padding": ((4, 5), (3, 3), (1, 1), [(4, 3), (3, 5)]),
    "stride": ((8, 8), (3, 3), (2, 2), [(0, 1), (0, 1)]),
    "stride_odd": ((7, 9), (3, 3), (2, 2), [(1, 1), (1, 1)]),
    "stride_same": ((9, 6), (5, 4), (2, 3), "SAME"),
    "stride_unused_rows": ((8, 10), (3, 2), (3, 4), "VALID"),
    "shortcut": ((8, 7), (1, 1), (2, 2), [(0, 0), (0, 0)]),
    "even_kernel": ((6, 7), (2, 4), (1, 1), [(1, 0), (2, 1)]),
    "pointwise": ((4, 5), (1, 1), (1, 1), "SAME"),
}
PASSED_ON = {
    "lhs_dilation": dict(lhs_dilation=(2, 1)),
    "rhs_dilation": dict(rhs_dilation=(1, 2)),
}


class ConvolutionTest(parameterized.TestCase):
    @parameterized.named_parameters((name, *case) for name, case in DIRECT.items())
    def test_equals_lax(self, size, kernel, strides, padding):
        arrays = arrays_of(size, kernel, strides, padding)
        assert_same(first_order, arrays, strides, padding)

    def test_a_row_does_not_depend_on_its_place(self):
        """Exactly: an attack gives an image the same result anywhere in a batch."""
        case = ((12, 16), (3, 3), (1, 1), [(1, 1), (1, 1)])
        lhs, rhs, cotangent, _ = arrays_of(*case, channels=(3, 16), images=7)

        @jax.jit
        def run(lhs, cotangent):
            out, pullback = jax.vjp(
                lambda lhs: convolution(lhs, rhs, *case[2:], dimension_numbers=LAYOUT),
                lhs,
            )
            return out, pullback(cotangent)[0]

        order = np.array([4, 2, 6, 0, 1, 5, 3])
        straight = run(lhs, cotangent)
        moved = run(lhs[order], cotangent[order])
        for one, other in zip(straight, moved, strict=True):
            np.testing.assert_array_equal(one[order], other)

    @parameterized.named_parameters(
        ("direct", *DIRECT["odd"]),
        ("strided", *DIRECT["stride_odd"]),
        ("side_by_side", (12, 12), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    )
    def test_second_derivatives_equal_lax(self, size, kernel, strides, padding):
        arrays = arrays_of(size, kernel, strides, padding)
        assert_same(second_order, arrays, strides, padding)

    @parameterized.named_parameters((n, options) for n, options in PASSED_ON.items())
    def test_passes_other_convolutions_on(self, options):
        case = ((6, 7), (3, 3), (1, 1), [(1, 1), (1, 1)])
        arrays = arrays_of(*case, channels=(3, 6), **options)
        assert_same(first_order, arrays, *case[2:], **options)

    def test_bfloat16_stays_with_lax(self):
        case = ((14, 14), (3, 3), (1, 1), "SAME")
        lhs, rhs, _, _ = arrays_of(*case, channels=(48, 48))
        lhs, rhs = lhs.astype(jnp.bfloat16), rhs.astype(jnp.bfloat16)
        run = functools.partial(
            convolution,
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=LAYOUT,
        )
        out, pullback = jax.vjp(run, lhs, rhs)
        chosen = lax.conv_general_dilated(
            lhs, rhs, (1, 1), "SAME", dimension_numbers=LAYOUT
        )
        self.assertEqual(out.dtype, jnp.bfloat16)
        np.testing.assert_array_equal(out, chosen)
        self.assertEqual([x.dtype for x in pullback(out)], [jnp.bfloat16] * 2)

    def test_vmap_of_an_unbatched_layer(self):
        """Drivers vmap a Linen layer over images; this is one batched convolution."""
        images = jax.random.normal(jax.random.key(1), (3, 6, 5, 2))
        layers = [
            nn.Conv(4, (3, 3), strides=2, conv_general_dilated=conv)
            for conv in (lax.conv_general_dilated, convolution)
        ]
        variables = layers[0].init(jax.random.key(2), images[0])

        def value_and_gradient(layer, image):
            out, pullback = jax.vjp(lambda x: layer.apply(variables, x), image)
            return out, pullback(jnp.sin(out))[0]

        want, got = (
            jax.vmap(functools.partial(value_and_gradient, layer))(images)
            for layer in layers
        )
        for one, other in zip(want, got, strict=True):
            np.testing.assert_allclose(other, one, atol=2e-6)

    def test_vmap_over_kernels(self):
        """One kernel per example is rare, but must be right."""
        keys = jax.random.split(jax.random.key(3), 2)
        lhs = jax.random.normal(keys[0], (2, 1, 5, 5, 3))
        rhs = jax.random.normal(keys[1], (3, 2, 3, 3, 3, 4))

        def run(conv):
            conv = functools.partial(
                conv,
                window_strides=(2, 2),
                padding=[(0, 1), (0, 1)],
                dimension_numbers=LAYOUT,
            )
            loss = jax.grad(lambda x, w: jnp.sum(conv(x, w) ** 2), argnums=(0, 1))
            over_both = jax.vmap(loss)
            return jax.vmap(over_both, in_axes=(None, 0))(lhs, rhs)

        want, got = run(lax.conv_general_dilated), run(convolution)
        for one, other in zip(want, got, strict=True):
            np.testing.assert_allclose(other, one, atol=2e-4)

    def test_other_platforms_keep_their_own_convolution(self):
        arrays = arrays_of((6, 6), (3, 3), (1, 1), [(1, 1), (1, 1)])

        def gradient(conv):
            def loss(x, w):
                out = conv(x, w, (1, 1), [(1, 1), (1, 1)], dimension_numbers=LAYOUT)
                return jnp.sum(out)

            traced = jax.jit(jax.grad(loss)).trace(*arrays[:2])
            return traced.lower(lowering_platforms=("cuda",)).as_text()

        for text in (gradient(lax.conv_general_dilated), gradient(convolution)):
            self.assertEqual(text.count("stablehlo.convolution"), 1)
            self.assertIn("x[0, 1, o, i]->", text)
