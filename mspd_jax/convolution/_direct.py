"""A convolution whose outputs read the pixels of their own window and no others.

Libraries for accelerators may transform tiles or whole images (Winograd, Fourier): what
an output should not see then cancels, but leaves its rounding. Here the kernel is taken
apart, and each of its pixels is a matrix product,

    y[n, i, j, k] = sum_{d, e} sum_c x[n, s i + d, s j + e, c] * w[d, e, c, k].
"""

import functools
import operator
from collections.abc import Callable, Sequence

import jax
from jax import lax

# Of rows and of columns.
Pair = Sequence[int]
# Pixels before and after, of rows and of columns.
Padding = Sequence[tuple[int, int]]
Precision = lax.Precision | str | tuple[str, str] | None


def output_size(size: Pair, window: Pair, strides: Pair, padding: Padding) -> list[int]:
    """Rows and columns of a convolution's result, of an input of rows and columns."""
    return [
        (length + low + high - entries) // stride + 1
        for length, (low, high), entries, stride in zip(
            size, padding, window, strides, strict=True
        )
    ]


def convolve(
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Pair,
    padding: Padding,
    precision: Precision,
) -> jax.Array:
    """`lax.conv_general_dilated` of [N, H, W, C] and [h, w, C, K], window by window."""

    def product(pixels, weights):
        contract = (((3,), (0,)), ((), ()))
        return lax.dot_general(pixels, weights, contract, precision=precision)

    return shifted_sum(lhs, rhs, strides, padding, product)


def shifted_sum(
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Pair,
    padding: Padding,
    product: Callable[[jax.Array, jax.Array], jax.Array],
) -> jax.Array:
    """The sum, over the pixels of a kernel, of products with what they meet.

    product: of [N, H', W', C] and rhs[d, e], which is [C, K] or what the caller makes
    of it.
    """
    zero = lhs.dtype.type(0)
    pads = ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0))
    lhs = lax.pad(lhs, zero, pads)
    reach = [
        (size - kernel) // stride * stride + 1
        for size, kernel, stride in zip(
            lhs.shape[1:3], rhs.shape[:2], strides, strict=True
        )
    ]
    products = []
    for row in range(rhs.shape[0]):
        for col in range(rhs.shape[1]):
            pixels = lax.slice(
                lhs,
                (0, row, col, 0),
                (lhs.shape[0], row + reach[0], col + reach[1], lhs.shape[3]),
                (1, *strides, 1),
            )
            products.append(product(pixels, rhs[row, col]))
    return functools.reduce(operator.add, products)
