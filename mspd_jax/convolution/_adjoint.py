"""The input gradient of a convolution as ordinary, dense, fast convolutions."""

from collections.abc import Callable

import jax
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution import _wide as wide
from mspd_jax.convolution._direct import Padding, Pair, Precision


def adjoint_padding(
    padding: Padding, window: Pair, size: Pair, outputs: Pair
) -> tuple[tuple[int, int], ...]:
    """Padding of the cotangent, at stride 1, that makes the result as large as `size`.

    Input x meets kernel entry d in output x + low - d. All arguments are pairs.
    """
    pads = []
    for (low, _), entries, length, count in zip(
        padding, window, size, outputs, strict=True
    ):
        before = entries - 1 - low
        pads.append((before, length + entries - 1 - before - count))
    return tuple(pads)


def adjoint(
    cotangent: jax.Array,
    rhs: jax.Array,
    strides: Pair,
    padding: Padding,
    size: Pair,
    precision: Precision,
    *,
    convolve: Callable = wide.convolve,
) -> jax.Array:
    """Gradient in the input, [N, H, W, C] with (H, W) = size, phase by phase.

    cotangent: [N, H', W', K]; rhs: [h, w, C, K]. Inputs of one phase (their position
    modulo the stride) meet the same kernel entries, every stride-th one. So each phase
    is a convolution of stride 1 with a part of the kernel, flipped and swapped; no
    product with the zeros of a spread-out cotangent is ever formed. Stride 1 is the
    case of a single phase. convolve: what computes them, called as `_wide.convolve`.
    """
    height, width = (
        [_phase(p, *axis) for p in range(axis[1])]
        for axis in zip(rhs.shape[:2], strides, padding, strict=False)
    )
    count = [-(-length // stride) for length, stride in zip(size, strides, strict=True)]
    swapped = jnp.swapaxes(rhs, 2, 3)
    dense = rhs.shape[3] == cotangent.shape[3]  # else each channel is a group

    def of_phase(down, right):
        (rows, first_row), (columns, first_column) = down, right
        part = swapped[rows, columns]
        if dense and part.shape[:2] == (1, 1):
            return of_pixel(rhs[rows, columns][0, 0], (first_row, first_column))
        if not part.size:  # no output ever sees these inputs
            return jnp.zeros((len(cotangent), *count, part.shape[-1]), cotangent.dtype)
        part = _flipped(_flipped(part, 0), 1)
        pads = adjoint_padding(
            [(first_row, 0), (first_column, 0)],
            part.shape[:2],
            count,
            cotangent.shape[1:3],
        )
        return convolve(cotangent, part, (1, 1), pads, precision)

    def of_pixel(weights, offset):
        # A product reads its right side either way: nothing is turned.
        contract = (((3,), (1,)), ((), ()))
        out = lax.dot_general(cotangent, weights, contract, precision)
        pads = adjoint_padding(
            [(first, 0) for first in offset], (1, 1), count, cotangent.shape[1:3]
        )
        zero = out.dtype.type(0)
        return lax.pad(out, zero, ((0, 0, 0), *((*p, 0) for p in pads), (0, 0, 0)))

    if tuple(strides) == (1, 1):
        return of_phase(height[0], width[0])
    phases = [
        jnp.stack([of_phase(down, right) for right in width], 3) for down in height
    ]
    out = jnp.stack(phases, axis=2)
    full = [n * stride for n, stride in zip(count, strides, strict=True)]
    out = jnp.reshape(out, (out.shape[0], *full, out.shape[-1]))
    return out[:, : size[0], : size[1]]


def _flipped(kernel, axis):
    """The entries along an axis in reverse order.

    Put together again one by one: to XLA a transposition or a reversal is not worth
    taking out of a loop, a concatenation with all before it is. So the loop of an
    attack does not turn the kernels anew for every gradient.
    """
    entries = jnp.split(kernel, kernel.shape[axis], axis)
    return jnp.concatenate(entries[::-1], axis)


def _phase(phase, window, stride, pads):
    """Kernel entries that meet inputs phase, phase + stride, ..., and their offset.

    Input phase + stride * a meets entry first + stride * t in output a + offset - t.
    """
    offset, first = divmod(phase + pads[0], stride)
    return slice(first, window, stride), offset
