"""Convolutions and pools of [N, C, ...] arrays, as PyTorch and ONNX define them."""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax import convolution

Pads = Sequence[tuple[int, int]]


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    *,
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
    groups: int,
) -> jax.Array:
    """x [N, C, ...] with kernel [K, C / groups, ...] -> [N, K, ...]."""
    axes = x.ndim - 2
    if axes == 2 and set(dilations) == {1}:  # the layout that is fast on CPUs
        y = convolution.convolution(
            x.transpose(0, 2, 3, 1),
            kernel.transpose(2, 3, 1, 0),
            (strides[0], strides[1]),
            [pads[0], pads[1]],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )
        return y.transpose(0, 3, 1, 2)
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        pads,
        rhs_dilation=dilations,
        dimension_numbers=_numbers(axes),
        feature_group_count=groups,
    )


def convolve_transposed(
    x: jax.Array,
    kernel: jax.Array,
    *,
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
    extra: Sequence[int],
    groups: int,
) -> jax.Array:
    """The adjoint of `convolve`: x [N, K, ...], kernel [K, C / groups, ...].

    Returns [N, C, ...].

    extra: rows and columns added at the end, of those that the stride leaves open.
    """
    axes = x.ndim - 2
    inputs, outputs = kernel.shape[0] // groups, kernel.shape[1]
    flipped = jnp.flip(kernel, axis=range(2, 2 + axes))
    parts = flipped.reshape(groups, inputs, outputs, *kernel.shape[2:])
    turned = parts.swapaxes(1, 2).reshape(groups * outputs, inputs, *kernel.shape[2:])
    reach = [d * (k - 1) for d, k in zip(dilations, kernel.shape[2:], strict=True)]
    around = [
        (r - low, r - high + more)
        for r, (low, high), more in zip(reach, pads, extra, strict=True)
    ]
    return lax.conv_general_dilated(
        x,
        turned,
        (1,) * axes,
        around,
        lhs_dilation=strides,
        rhs_dilation=dilations,
        dimension_numbers=_numbers(axes),
        feature_group_count=groups,
    )


def pool_max(
    x: jax.Array,
    size: Sequence[int],
    *,
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
) -> jax.Array:
    """The largest of each window of [N, C, ...]; what is padded never is."""
    if set(dilations) == {1}:
        around = [(0, 0), (0, 0), *pads]
        return convolution.max_pool(x, (1, 1, *size), (1, 1, *strides), around)
    least = (
        -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    )
    fill = np.array(least, x.dtype)
    # With gaps, JAX has no derivative of it.
    x = lax.pad(x, fill, [(0, 0, 0), (0, 0, 0), *((a, b, 0) for a, b in pads)])
    reach = [d * (k - 1) for d, k in zip(dilations, size, strict=True)]
    room = [n - r for n, r in zip(x.shape[2:], reach, strict=True)]
    offsets = (range(0, r + 1, d) for r, d in zip(reach, dilations, strict=True))
    shifted = []
    for start in itertools.product(*offsets):
        end = [s + n for s, n in zip(start, room, strict=True)]
        part = lax.slice(x, (0, 0, *start), (*x.shape[:2], *end), (1, 1, *strides))
        shifted.append(part)
    return _first_max(jnp.stack(shifted), axis=0)


def pool_sum(
    x: jax.Array, size: Sequence[int], *, strides: Sequence[int], pads: Pads
) -> jax.Array:
    """The sum over each window of [N, C, ...], zeros around it."""
    return lax.reduce_window(
        x,
        np.array(0, x.dtype),
        lax.add,
        (1, 1, *size),
        (1, 1, *strides),
        [(0, 0), (0, 0), *pads],
    )


def pool_mean(
    x: jax.Array,
    size: Sequence[int],
    *,
    strides: Sequence[int],
    pads: Pads,
    overhang: Sequence[int],
    count_padding: bool,
    divisor: int | None = None,
) -> jax.Array:
    """The mean over each window of [N, C, ...].

    overhang: by how much the last windows reach over the padding (`overhang_of`), which
    never counts. count_padding: whether what is padded does. divisor: what sums are
    divided by, whatever counts.
    """
    around = [(a, b + over) for (a, b), over in zip(pads, overhang, strict=True)]
    total = pool_sum(x, size, strides=strides, pads=around)
    if divisor is not None:
        return total / divisor
    counted = []
    for axis, (low, high) in enumerate(pads):
        places = np.ones(x.shape[2 + axis])
        edges = [(low, high), (0, overhang[axis])]
        places = np.pad(places, edges[0], constant_values=float(count_padding))
        places = np.pad(places, edges[1])
        starts = range(0, len(places) - size[axis] + 1, strides[axis])
        counted.append([places[s : s + size[axis]].sum() for s in starts])
    count = np.array([math.prod(c) for c in itertools.product(*counted)], np.float32)
    return total / count.reshape(1, 1, *map(len, counted)).astype(x.dtype)


def overhang_of(
    sizes: Sequence[int],
    window: Sequence[int],
    *,
    strides: Sequence[int],
    pads: Pads,
    dilations: Sequence[int],
) -> list[int]:
    """How far windows reach over the end where their number is rounded up.

    A window that would start in the padding at the end is left out.
    """
    over = []
    for n, k, s, (low, high), d in zip(
        sizes, window, strides, pads, dilations, strict=True
    ):
        reach = d * (k - 1) + 1
        count = -(-(n + low + high - reach) // s) + 1
        if (count - 1) * s >= n + low:
            count -= 1
        over.append((count - 1) * s + reach - (n + low + high))
    return [max(o, 0) for o in over]


def pool_adaptive(x: jax.Array, sizes: Sequence[int], reduce: str) -> jax.Array:
    """Means or maxima of [N, C, ...] over windows that are cut so that `sizes` result.

    Window i of n along an axis of length L reaches from floor(i L / n) to
    ceil((i + 1) L / n). reduce: "mean" or "max".
    """
    pick = jnp.mean if reduce == "mean" else _first_max
    # The last axis first, so that the first of equal maxima is that of reading order.
    for axis, n in reversed(list(enumerate(sizes, start=2))):
        length = x.shape[axis]
        if length % n == 0:
            shape = (*x.shape[:axis], n, length // n, *x.shape[axis + 1 :])
            x = pick(x.reshape(shape), axis=axis + 1)
            continue
        ends = [(i * length // n, -(-(i + 1) * length // n)) for i in range(n)]
        parts = [
            jnp.expand_dims(pick(lax.slice_in_dim(x, a, b, axis=axis), axis=axis), axis)
            for a, b in ends
        ]
        x = jnp.concatenate(parts, axis=axis)
    return x


def _first_max(x: jax.Array, axis: int) -> jax.Array:
    """The maximum, whose derivative goes to the first of equals."""
    place = jnp.argmax(x, axis=axis, keepdims=True)
    return jnp.squeeze(jnp.take_along_axis(x, place, axis), axis)


def _numbers(axes: int) -> tuple[str, str, str]:
    letters = "DHW"[-axes:]
    return f"NC{letters}", f"OI{letters}", f"NC{letters}"
