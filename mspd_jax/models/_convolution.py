"""The convolution with a canonical input gradient, for fast attacks on CPUs.

XLA's own input gradient reads the kernel with its channels swapped in place. Inside
`fori_loop`, `scan` and `lax.map` the swap survives as a memory layout (`01oi`) that
misses the fast path of the CPU backend and costs 3x. Here the input gradient is an
ordinary convolution with an explicitly flipped and swapped kernel (`HWIO` again).
"""

import functools
import math

import jax
from jax import lax
from jax import numpy as jnp

# The only layout with a fast path on CPUs, and the one of `flax.linen.Conv`.
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolution(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides,
    padding,
    lhs_dilation=None,
    rhs_dilation=None,
    dimension_numbers=None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision=None,
    preferred_element_type=None,
) -> jax.Array:
    """`lax.conv_general_dilated` with an input gradient that is fast on CPUs.

    Guarantee: the values and derivatives (of any order, in both modes, in both
    arguments) of `lax.conv_general_dilated`, up to rounding. Only the order of the
    operations differs, and only on CPUs for dense two-dimensional float32
    convolutions; everything else is passed on.

    lhs: [N, H, W, C]; rhs: [h, w, C, K] (other layouts are passed on); the result is
    [N, H', W', K]. Use: `flax.linen.Conv(..., conv_general_dilated=convolution)`.
    """
    plain = functools.partial(
        lax.conv_general_dilated,
        window_strides=window_strides,
        padding=padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    dilations = (*(lhs_dilation or ()), *(rhs_dilation or ()))
    dense = (
        lhs.ndim == 4
        and lhs.dtype == rhs.dtype == jnp.float32
        and lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
        == lax.conv_dimension_numbers(lhs.shape, rhs.shape, _LAYOUT)
        and math.prod((*dilations, feature_group_count, batch_group_count)) == 1
        and preferred_element_type in (None, jnp.float32)
    )
    if not dense:
        return plain(lhs, rhs)
    strides = tuple(window_strides)
    if isinstance(padding, str):
        window = rhs.shape[:2]
        padding = lax.padtype_to_pads(lhs.shape[1:3], window, strides, padding)
    padding = tuple((int(low), int(high)) for low, high in padding)
    fast = functools.partial(_dense, strides, padding, precision)
    return lax.platform_dependent(lhs, rhs, cpu=fast, default=plain)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _dense(strides, padding, precision, lhs, rhs):
    return lax.conv_general_dilated(
        lhs, rhs, strides, padding, dimension_numbers=_LAYOUT, precision=precision
    )


@_dense.defjvp
def _dense_jvp(strides, padding, precision, primals, tangents):
    """Tangents whose *transpose* is fast.

    Reverse mode transposes the tangent map. So the map in `lhs` is written as the
    transpose of the input gradient that we want; transposing it gives that back.
    Being ordinary operations, both can be differentiated again.
    """
    lhs, rhs = primals
    out = _dense(strides, padding, precision, lhs, rhs)

    def input_gradient(cotangent):
        return _input_gradient(strides, padding, precision, cotangent, rhs, lhs.shape)

    (along_lhs,) = jax.linear_transpose(input_gradient, out)(tangents[0])
    along_rhs = lax.conv_general_dilated(
        lhs, tangents[1], strides, padding, dimension_numbers=_LAYOUT,
        precision=precision,
    )  # fmt: skip
    return out, along_lhs + along_rhs


def _input_gradient(strides, padding, precision, cotangent, rhs, shape):
    """Gradient of the convolution in `lhs`, of `shape`, by a canonical convolution.

    Entry x of the input meets kernel entry d in output y where x = y * s + d - low:
    the cotangent, spread out by the stride s, convolved with the flipped kernel. The
    padding is what makes the result exactly as large as the input.
    """
    pads = []
    for size, window, stride, (low, _), outputs in zip(
        shape[1:3], rhs.shape, strides, padding, cotangent.shape[1:3], strict=False
    ):
        before = window - 1 - low
        spread = (outputs - 1) * stride + 1
        pads.append((before, size + window - 1 - before - spread))
    flipped = jnp.flip(rhs, (0, 1)).swapaxes(2, 3)
    return lax.conv_general_dilated(
        cotangent, flipped, (1, 1), pads, lhs_dilation=strides,
        dimension_numbers=_LAYOUT, precision=precision,
    )  # fmt: skip
