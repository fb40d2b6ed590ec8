"""Maxima over windows, whose gradient CPUs do fast.

XLA's own gradient looks for the maximum of one window after the other. Here it is a sum
over the pixels of a window, each of which is a pass over whole arrays: 5 times as fast
for windows of 3x3 at 112x112 pixels, 7 to 20 times for 2x2.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Of larger windows a pass for each pixel is not worth it.
_MOST = 25


def max_pool(
    x: jax.Array,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
) -> jax.Array:
    """The largest value of each window; what is padded never is.

    Guarantee: values and derivatives (of any order, in both modes) of
    `lax.reduce_window`; of equal maxima the first in the order of memory gets the whole
    gradient, as in PyTorch.

    window, strides, padding: a number (a pair) for each axis of `x`.
    """
    settings = tuple(window), tuple(strides), tuple((a, b) for a, b in padding)
    pool = _max_pool if math.prod(window) <= _MOST else _values
    return pool(x, *settings)


def _values(x, window, strides, padding):
    least = -np.inf if jnp.issubdtype(x.dtype, np.floating) else np.iinfo(x.dtype).min
    fill = np.array(least, x.dtype)
    return lax.reduce_window(x, fill, lax.max, window, strides, padding)


_max_pool = jax.custom_jvp(_values, nondiff_argnums=(1, 2, 3))


@_max_pool.defjvp
def _tangent(window, strides, padding, primals, tangents):
    ((x,), (moved,)) = primals, tangents
    y = _max_pool(x, window, strides, padding)
    entries = functools.partial(_entries, window, strides, padding, y.shape)
    total, found = jnp.zeros_like(y), jnp.zeros(y.shape, bool)
    for value, change in zip(entries(x, -np.inf), entries(moved, 0.0), strict=True):
        here = (value == y) & ~found
        total += jnp.where(here, change, jnp.zeros_like(change))
        found |= here
    return y, total


def _entries(window, strides, padding, shape, x, fill) -> Iterator[jax.Array]:
    """Of all windows the first pixel, then the second, ...: an array for each."""
    pads = [(low, high, 0) for low, high in padding]
    x = lax.pad(x, np.array(fill, x.dtype), pads)
    for start in itertools.product(*map(range, window)):
        reach = [d * (n - 1) + 1 for d, n in zip(strides, shape, strict=True)]
        end = [s + r for s, r in zip(start, reach, strict=True)]
        yield lax.slice(x, start, end, strides)
