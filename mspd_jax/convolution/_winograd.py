"""3x3 convolutions with 2.25 times fewer multiplications (Winograd, F(2x2, 3x3)).

Four neighboring outputs y [2, 2] of one channel pair need 36 multiplications when
done one by one. With d [4, 4] the input tile under them and g [3, 3] the kernel,

    y = A^T ((G g G^T) * (B^T d B)) A        needs 16, one per entry of the product *.

Summed over input channels, each of the 16 entries is a matrix product over all tiles
of all images, which is what CPUs are best at. The transforms are sums and halves, so
rounding stays that of a direct sum: 2.4e-7 (root mean square, relative to the output,
64 channels) where lax has 2.1e-7 and PyTorch 2.9e-7. Larger tiles, F(4x4, 3x3), save
more products, lose a digit, and were not faster.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308.
"""

import math

import jax
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution._direct import Padding, Pair, Precision

# Thin matrices and kernels transformed for few tiles do not pay (measured on two CPU
# cores). Small layers (channels times the tiles of an image) would gain too, 1.5x at
# 8x8x64; they stay direct so that a ResNet-20 rounds as the reference does: where a
# gradient is nearly zero, its sign hangs on the last bit.
_MIN_CHANNELS = 48
_MIN_LAYER = 2048
_MIN_TILES = 64


def pays_off(images: int, size: Pair, padding: Padding, rhs: jax.Array) -> bool:
    """Whether a convolution of stride 1 should take this path; all of it static.

    size: (H, W) of the input; rhs: [h, w, C, K].
    """
    channels = min(rhs.shape[2:])
    if rhs.shape[:2] != (3, 3) or channels < _MIN_CHANNELS:
        return False
    if min(min(pads) for pads in padding) < 0:
        return False
    tiles = math.prod(_tiles(size, padding))
    return tiles * channels >= _MIN_LAYER and images * tiles >= _MIN_TILES


def convolve(
    lhs: jax.Array, rhs: jax.Array, padding: Padding, precision: Precision
) -> jax.Array:
    """The convolution of stride 1: lhs [N, H, W, C], rhs [3, 3, C, K]."""
    return _tile_products(lhs, _transform_kernel(rhs), 0, padding, precision)


def convolve_flipped(
    lhs: jax.Array, rhs: jax.Array, padding: Padding, precision: Precision
) -> jax.Array:
    """The same with the kernel flipped and its channels swapped: lhs [N, H, W, K].

    Flipping the kernel swaps the first and last row and column of its transform, and
    a matrix product can read its right side either way. So the transform is the one
    of `convolve`: compiled together, the two share it and nothing is transposed.
    """
    kernel = _transform_kernel(rhs)
    order = (3, 1, 2, 0)
    kernel = [[kernel[i][j] for j in order] for i in order]
    return _tile_products(lhs, kernel, 1, padding, precision)


def _tiles(size, padding):
    """Rows and columns of 2x2 output tiles; the last ones may stick out."""
    return tuple(
        (length + low + high - 1) // 2
        for length, (low, high) in zip(size, padding, strict=True)
    )


def _tile_products(lhs, kernel, contracted, padding, precision):
    images, height, width, channels = lhs.shape
    rows, columns = _tiles((height, width), padding)
    pads = [
        (low, 2 * tiles + 2 - length - low)
        for length, tiles, (low, _) in zip(
            (height, width), (rows, columns), padding, strict=True
        )
    ]
    lhs = jnp.pad(lhs, ((0, 0), *pads, (0, 0)))
    # Entry (i, j) of every tile, as one matrix [tiles, channels].
    entries = _transform_input(_every_second(lhs, rows, axis=1))
    entries = [_transform_input(_every_second(row, columns, axis=2)) for row in entries]
    contract = (((1,), (contracted,)), ((), ()))
    products = [
        [
            lax.dot_general(
                jnp.reshape(entry, (-1, channels)), factor, contract, precision
            )
            for entry, factor in zip(line, factors, strict=True)
        ]
        for line, factors in zip(entries, kernel, strict=True)
    ]
    lines = _transform_output([jnp.stack(_transform_output(p)) for p in products])
    out = [
        jnp.stack([jnp.reshape(x, (images, rows, columns, -1)) for x in line], axis=3)
        for line in lines
    ]
    out = jnp.reshape(jnp.stack(out, axis=2), (images, 2 * rows, 2 * columns, -1))
    height, width = (
        length + sum(pads) - 2
        for length, pads in zip((height, width), padding, strict=True)
    )
    return out[:, :height, :width]


def _every_second(x, tiles, axis):
    """Lines k, k + 2, k + 4, ... for k = 0..3: line k of every tile."""
    return [
        lax.slice_in_dim(x, k, k + 2 * tiles - 1, stride=2, axis=axis) for k in range(4)
    ]


def _transform_input(d):  # B^T d
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _transform_output(m):  # A^T m
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]


def _transform_kernel(rhs):  # G g G^T
    def along(g):
        middle = 0.5 * (g[0] + g[2])
        return [g[0], middle + 0.5 * g[1], middle - 0.5 * g[1], g[2]]

    return [along(row) for row in along(rhs)]
