"""Grouped and depthwise convolutions equal those of `lax`, window by window."""

import functools

import jax
import numpy as np
from absl.testing import parameterized
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution import convolution
from mspd_jax.convolution._convolution import _convolve_plain
from mspd_jax.convolution._grouped import is_depthwise
from tests.convolution.derivatives import (
    LAYOUT,
    arrays_of,
    assert_same,
    first_order,
    second_order,
)

# name: (height and width, kernel, strides, padding), channels, groups
CASES = {
    "few": (((6, 7), (3, 3), (1, 1), [(1, 1), (1, 1)]), (6, 3), 3),
    "few_strided": (((7, 8), (3, 3), (2, 2), [(1, 1), (1, 1)]), (4, 8), 2),
    "many": (((5, 4), (3, 3), (2, 1), [(0, 1), (1, 1)]), (18, 9), 9),
    "depthwise": (((6, 7), (3, 5), (1, 1), [(1, 1), (2, 2)]), (4, 4), 4),
    "depthwise_strided": (((7, 9), (5, 5), (2, 2), [(2, 2), (2, 2)]), (9, 9), 9),
    "depthwise_lopsided": (((8, 6), (3, 2), (2, 3), [(0, 1), (-1, 2)]), (3, 3), 3),
    "depthwise_unused_rows": (((8, 10), (1, 2), (3, 4), "VALID"), (2, 2), 2),
    "multiplied": (((6, 5), (3, 3), (1, 1), "SAME"), (3, 6), 3),
}


class GroupedTest(parameterized.TestCase):
    @parameterized.named_parameters((name, *case) for name, case in CASES.items())
    def test_equals_lax(self, case, channels, groups):
        options = dict(feature_group_count=groups)
        arrays = arrays_of(*case, channels=channels, **options)
        assert_same(first_order, arrays, *case[2:], **options)

    @parameterized.parameters("few_strided", "depthwise_strided")
    def test_second_derivatives_equal_lax(self, name):
        case, channels, groups = CASES[name]
        options = dict(feature_group_count=groups)
        arrays = arrays_of(*case, channels=channels, **options)
        assert_same(second_order, arrays, *case[2:], **options)

    @parameterized.parameters("few", "many", "depthwise_strided")
    def test_direct_ones_are_sums_over_windows_on_every_platform(self, name):
        (size, kernel, strides, padding), channels, groups = CASES[name]
        options = dict(channels=channels, feature_group_count=groups)
        lhs, rhs, _, _ = arrays_of(size, kernel, strides, padding, **options)
        settings = dict(strides=strides, padding=padding, precision=None)
        run = functools.partial(
            _convolve_plain,
            method="direct",
            groups=groups,
            depthwise=is_depthwise(rhs, groups),
            **settings,
        )
        self.assertNotIn("conv", str(jax.make_jaxpr(run)(lhs, rhs)))
        want = lax.conv_general_dilated(
            *(lhs, rhs, strides, padding),
            dimension_numbers=LAYOUT,
            feature_group_count=groups,
        )
        np.testing.assert_allclose(jax.jit(run)(lhs, rhs), want, atol=2e-5, rtol=0)

    def test_vmap_over_images_and_over_kernels(self):
        lhs = jax.random.normal(jax.random.key(0), (2, 3, 5, 6, 4))
        rhs = jax.random.normal(jax.random.key(1), (2, 3, 3, 1, 4))

        def run(conv):
            conv = functools.partial(
                conv,
                window_strides=(2, 2),
                padding=[(0, 1), (0, 1)],
                dimension_numbers=LAYOUT,
                feature_group_count=4,
            )
            loss = jax.grad(lambda x, w: jnp.sum(conv(x, w) ** 2), argnums=(0, 1))
            return [
                jax.vmap(loss, in_axes=(0, None))(lhs, rhs[0]),
                jax.vmap(loss)(lhs, rhs),
            ]

        want, got = run(lax.conv_general_dilated), run(convolution)
        for one, other in zip(jax.tree.leaves(want), jax.tree.leaves(got), strict=True):
            np.testing.assert_allclose(other, one, atol=2e-5)

    @parameterized.parameters(((3, 3, 1, 4), 4, True), ((3, 3, 1, 8), 4, False))
    def test_depthwise_has_a_channel_for_each_group(self, shape, groups, expected):
        self.assertEqual(is_depthwise(jnp.zeros(shape), groups), expected)
        self.assertFalse(is_depthwise(jnp.zeros((3, 3, 1, 1)), 1))
