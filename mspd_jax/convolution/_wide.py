"""Convolutions with few output channels, as ones with more: neighbors side by side.

On a CPU a convolution is a matrix product, and with few columns its time goes into
fetching the pixels, not into products. So p neighboring output pixels of a row become p
times as many output channels: one convolution of stride p whose kernel holds p shifted
copies of the original, as wide as all of them together and zero elsewhere,

    y[r, p a + i, k] = sum_{d, e, c} x[r + d, p a + e, c] * w[d, e - i, c, k].

Every pixel is fetched for p outputs at once; the products with the zeros are the price.
Sums run in the order of a direct method, and a zero added changes no digit. (An
infinite or NaN pixel spoils all p outputs.) Measured on a CPU core, 3x3 kernels on
32x32 pixels: 2.4x from 3 to 16 channels, 1.6x for 16 to 16, 2.1x from 16 to 3.
"""

import math

import jax
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution._direct import Padding, Pair, Precision, output_size
from mspd_jax.convolution._direct import convolve as convolve_directly

LAYOUT = ("NHWC", "HWIO", "NHWC")
# To fetch an input costs as much as this number of multiplications with it; more where
# the channels do not fill a vector register. Measured.
_FETCH, _FETCH_THIN = 40, 160
_THIN = 8
# Output pixels below which building the kernel is not worth it.
_MIN_PIXELS = 256


def neighbors(images: int, outputs: Pair, stride: int, rhs: jax.Array) -> int:
    """How many output pixels to compute side by side (p above); all of it static.

    For each of them, s + (w - s) / p columns of the input are fetched (w: width of the
    kernel, s: stride), and each costs F + p K for K output channels. This is least at
    p = sqrt(F (w - s) / (s K)); taken is the largest power of two below that divides
    the width of the output.

    outputs: (H', W') of the result; rhs: [h, w, C, K].
    """
    height, width = outputs
    _, entries, inputs, features = rhs.shape
    if images * height * width < _MIN_PIXELS:
        return 1
    fetch = _FETCH_THIN if inputs < _THIN else _FETCH
    best = math.sqrt(fetch * max(0, entries - stride) / (stride * features))
    p = 1
    while 2 * p <= best and width % (2 * p) == 0:
        p *= 2
    return p


def convolve(
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Pair,
    padding: Padding,
    precision: Precision,
) -> jax.Array:
    """The dense convolution: lhs [N, H, W, C], rhs [h, w, C, K]; padding in numbers.

    A kernel of one pixel is a matrix product, which XLA does not see in a convolution:
    2.2 to 2.7 times as fast at 64 to 256 channels and maps of 32x32 and more.
    """
    if rhs.shape[:2] == (1, 1):
        return convolve_directly(lhs, rhs, strides, padding, precision)
    outputs = output_size(lhs.shape[1:3], rhs.shape[:2], strides, padding)
    down, right = strides
    p = neighbors(lhs.shape[0], outputs, right, rhs)
    out = lax.conv_general_dilated(
        lhs,
        _side_by_side(rhs, p, right),
        (down, p * right),
        padding,
        dimension_numbers=LAYOUT,
        precision=precision,
    )
    return jnp.reshape(out, (lhs.shape[0], *outputs, rhs.shape[3]))


def _side_by_side(rhs, p, stride):
    """[h, w, C, K] -> [h, w + (p - 1) stride, C, p K], copy i shifted by i strides."""
    if p == 1:
        return rhs
    reach = (p - 1) * stride
    copies = [
        jnp.pad(rhs, ((0, 0), (shift, reach - shift), (0, 0), (0, 0)))
        for shift in range(0, reach + 1, stride)
    ]
    return jnp.concatenate(copies, axis=3)
