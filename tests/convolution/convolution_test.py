"""The convolution equals `lax.conv_general_dilated` in values and all derivatives."""

import functools
from unittest import mock

import flax.linen as nn
import jax
import numpy as np
from absl.testing import parameterized
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution import _wide as wide
from mspd_jax.convolution._convolution import convolution

_LAYOUT = ("NHWC", "HWIO", "NHWC")

# name: (height and width, kernel, strides, padding)
_DIRECT = {
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
# Enough channels and tiles for the Winograd path.
_WINOGRAD = {
    "winograd": ((14, 14), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "winograd_odd": ((13, 15), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    "winograd_valid": ((15, 16), (3, 3), (1, 1), "VALID"),
    "winograd_lopsided": ((13, 14), (3, 3), (1, 1), [(2, 0), (0, 1)]),
    "winograd_forward_alone": ((13, 14), (3, 3), (1, 1), [(3, 0), (1, 4)]),
}
# Few channels and enough pixels to compute neighbors side by side, and how many:
# (channels, height and width, kernel, strides, padding, forward, input gradient).
_WIDE = {
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
_PASSED_ON = {
    "groups": dict(feature_group_count=3),
    "lhs_dilation": dict(lhs_dilation=(2, 1)),
    "rhs_dilation": dict(rhs_dilation=(1, 2)),
}


def _arrays(size, kernel, strides, padding, channels=(3, 4), images=2, **options):
    keys = jax.random.split(jax.random.key(0), 4)
    groups = options.get("feature_group_count", 1)
    lhs = jax.random.normal(keys[0], (images, *size, channels[0]))
    rhs = jax.random.normal(keys[1], (*kernel, channels[0] // groups, channels[1]))
    out = jax.eval_shape(
        lambda a, b: lax.conv_general_dilated(
            a, b, strides, padding, dimension_numbers=_LAYOUT, **options
        ),
        lhs,
        rhs,
    )
    cotangent = jax.random.normal(keys[2], out.shape)
    tangent = jax.random.normal(keys[3], lhs.shape)
    return lhs, rhs, cotangent, tangent


def _first_order(conv, lhs, rhs, cotangent, tangent):
    """Value, forward mode in either argument, and both gradients."""
    out, pullback = jax.vjp(conv, lhs, rhs)
    _, along_lhs = jax.jvp(lambda lhs: conv(lhs, rhs), (lhs,), (tangent,))
    _, along_rhs = jax.jvp(lambda rhs: conv(lhs, rhs), (rhs,), (jnp.sin(rhs),))
    return out, along_lhs, along_rhs, pullback(cotangent)


def _reverse(conv, lhs, rhs, cotangent, tangent):
    """Value and both gradients."""
    out, pullback = jax.vjp(conv, lhs, rhs)
    return out, pullback(cotangent)


def _second_order(conv, lhs, rhs, cotangent, tangent):
    """Forward over reverse and reverse over reverse of a curved function."""

    def gradients(lhs, rhs):
        def loss(lhs, rhs):
            return jnp.sum(cotangent * conv(lhs, rhs) ** 2)

        return jax.grad(loss, argnums=(0, 1))(lhs, rhs)

    def along_tangent(lhs, rhs):
        of_lhs, of_rhs = gradients(lhs, rhs)
        return jnp.vdot(of_lhs, tangent) + jnp.vdot(of_rhs, jnp.sin(rhs))

    forward = jax.jvp(lambda lhs: gradients(lhs, rhs), (lhs,), (tangent,))[1]
    return forward, jax.grad(along_tangent, argnums=(0, 1))(lhs, rhs)


def _assert_same(derivatives, arrays, strides, padding, **options):
    settings = dict(
        window_strides=strides, padding=padding, dimension_numbers=_LAYOUT, **options
    )

    @jax.jit
    def both(*arrays):
        convs = lax.conv_general_dilated, convolution
        return [derivatives(functools.partial(c, **settings), *arrays) for c in convs]

    want, got = both(*arrays)
    for one, other in zip(jax.tree.leaves(want), jax.tree.leaves(got), strict=True):
        scale = np.abs(one).max(initial=1.0)
        np.testing.assert_allclose(other / scale, one / scale, rtol=0, atol=3e-6)


class ConvolutionTest(parameterized.TestCase):
    @parameterized.named_parameters((name, *case) for name, case in _DIRECT.items())
    def test_equals_lax(self, size, kernel, strides, padding):
        arrays = _arrays(size, kernel, strides, padding)
        _assert_same(_first_order, arrays, strides, padding)

    @parameterized.named_parameters((name, *case) for name, case in _WINOGRAD.items())
    def test_equals_lax_with_many_channels(self, size, kernel, strides, padding):
        arrays = _arrays(size, kernel, strides, padding, channels=(50, 48))
        _assert_same(_reverse, arrays, strides, padding)

    @parameterized.named_parameters((name, *case) for name, case in _WIDE.items())
    def test_equals_lax_with_few_channels(
        self, channels, size, kernel, strides, padding, forward, backward
    ):
        arrays = _arrays(size, kernel, strides, padding, channels=channels)
        seen = []
        original = wide.neighbors

        def spy(*arguments):
            seen.append(original(*arguments))
            return seen[-1]

        with mock.patch.object(wide, "neighbors", spy):
            _assert_same(_reverse, arrays, strides, padding)
        self.assertEqual(seen[0], forward)
        self.assertEqual(max(seen[1:]), backward)

    def test_a_row_does_not_depend_on_its_place(self):
        """Exactly: an attack gives an image the same result anywhere in a batch."""
        case = ((12, 16), (3, 3), (1, 1), [(1, 1), (1, 1)])
        lhs, rhs, cotangent, _ = _arrays(*case, channels=(3, 16), images=7)

        @jax.jit
        def run(lhs, cotangent):
            out, pullback = jax.vjp(
                lambda lhs: convolution(lhs, rhs, *case[2:], dimension_numbers=_LAYOUT),
                lhs,
            )
            return out, pullback(cotangent)[0]

        order = np.array([4, 2, 6, 0, 1, 5, 3])
        straight = run(lhs, cotangent)
        moved = run(lhs[order], cotangent[order])
        for one, other in zip(straight, moved, strict=True):
            np.testing.assert_array_equal(one[order], other)

    @parameterized.named_parameters(
        ("direct", *_DIRECT["odd"]),
        ("strided", *_DIRECT["stride_odd"]),
        ("side_by_side", (12, 12), (3, 3), (1, 1), [(1, 1), (1, 1)]),
    )
    def test_second_derivatives_equal_lax(self, size, kernel, strides, padding):
        arrays = _arrays(size, kernel, strides, padding)
        _assert_same(_second_order, arrays, strides, padding)

    def test_many_channels_and_tiles_take_sixteen_products(self):
        """The Winograd path is taken where it pays off, and only there."""

        def products(size, channels):
            case = (size, *_DIRECT["same"][1:])
            arrays = _arrays(*case, channels=channels)
            run = functools.partial(
                convolution,
                window_strides=(1, 1),
                padding=case[3],
                dimension_numbers=_LAYOUT,
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

    @parameterized.named_parameters((n, options) for n, options in _PASSED_ON.items())
    def test_passes_other_convolutions_on(self, options):
        case = ((6, 7), (3, 3), (1, 1), [(1, 1), (1, 1)])
        arrays = _arrays(*case, channels=(3, 6), **options)
        _assert_same(_first_order, arrays, *case[2:], **options)

    def test_bfloat16_stays_with_lax(self):
        case = ((14, 14), (3, 3), (1, 1), "SAME")
        lhs, rhs, _, _ = _arrays(*case, channels=(48, 48))
        lhs, rhs = lhs.astype(jnp.bfloat16), rhs.astype(jnp.bfloat16)
        run = functools.partial(
            convolution,
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=_LAYOUT,
        )
        out, pullback = jax.vjp(run, lhs, rhs)
        chosen = lax.conv_general_dilated(
            lhs, rhs, (1, 1), "SAME", dimension_numbers=_LAYOUT
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
                dimension_numbers=_LAYOUT,
            )
            loss = jax.grad(lambda x, w: jnp.sum(conv(x, w) ** 2), argnums=(0, 1))
            over_both = jax.vmap(loss)
            return jax.vmap(over_both, in_axes=(None, 0))(lhs, rhs)

        want, got = run(lax.conv_general_dilated), run(convolution)
        for one, other in zip(want, got, strict=True):
            np.testing.assert_allclose(other, one, atol=2e-4)

    @parameterized.parameters(1, 2)
    def test_no_kernel_is_swapped_in_place(self, stride):
        """The slow layout is gone: the reason for this module."""
        arrays = _arrays((6, 6), (3, 3), (stride, stride), [(1, 1), (1, 1)])

        def swapped(conv):
            conv = functools.partial(
                conv,
                window_strides=(stride, stride),
                padding=[(1, 1), (1, 1)],
                dimension_numbers=_LAYOUT,
            )
            pullback = jax.jit(lambda x, w, g: jax.vjp(lambda x: conv(x, w), x)[1](g))
            lowered = pullback.trace(*arrays[:3]).lower(lowering_platforms=("cpu",))
            return "x[0, 1, o, i]->" in lowered.as_text()

        self.assertTrue(swapped(lax.conv_general_dilated))
        self.assertFalse(swapped(convolution))

    def test_other_platforms_keep_their_own_convolution(self):
        arrays = _arrays((6, 6), (3, 3), (1, 1), [(1, 1), (1, 1)])

        def gradient(conv):
            def loss(x, w):
                out = conv(x, w, (1, 1), [(1, 1), (1, 1)], dimension_numbers=_LAYOUT)
                return jnp.sum(out)

            traced = jax.jit(jax.grad(loss)).trace(*arrays[:2])
            return traced.lower(lowering_platforms=("cuda",)).as_text()

        for text in (gradient(lax.conv_general_dilated), gradient(convolution)):
            self.assertEqual(text.count("stablehlo.convolution"), 1)
            self.assertIn("x[0, 1, o, i]->", text)
