"""PyTorch's operations that make, move, pick and join values."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Axes = int | Sequence[int]


def cast(x: jax.Array, dtype: Any = None) -> jax.Array:
    """The array in another type, as it is where none is named."""
    return x if dtype is None else x.astype(dtype)


def _expand(x: jax.Array, sizes: Sequence[int]) -> jax.Array:
    lead = len(sizes) - x.ndim
    kept = [x.shape[i - lead] if s == -1 else s for i, s in enumerate(sizes)]
    return jnp.broadcast_to(x, kept)


def _squeeze(x: jax.Array, axes: Axes | None = None) -> jax.Array:
    chosen = range(x.ndim) if axes is None else axes
    chosen = [chosen] if isinstance(chosen, int) else chosen
    return lax.squeeze(x, [a for a in chosen if x.shape[a] == 1])


def _along(x: jax.Array, axis: int, places: slice | int) -> tuple:
    """An index that picks along one axis."""
    whole: list[Any] = [slice(None)] * x.ndim
    whole[axis] = places
    return tuple(whole)


def _slice(
    x: jax.Array,
    axis: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> jax.Array:
    return x[_along(x, axis, slice(start, end, step))]


def _slice_scatter(
    x: jax.Array,
    part: jax.Array,
    axis: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> jax.Array:
    return x.at[_along(x, axis, slice(start, end, step))].set(part)


def _select(x: jax.Array, axis: int, index: int) -> jax.Array:
    return lax.index_in_dim(x, index % x.shape[axis], axis, keepdims=False)


def _select_scatter(x: jax.Array, part: jax.Array, axis: int, index: int) -> jax.Array:
    return x.at[_along(x, axis, index)].set(part)


def _split(x: jax.Array, sizes: Axes, axis: int = 0) -> tuple[jax.Array, ...]:
    length = x.shape[axis]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - i) for i in range(0, length, sizes)]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return tuple(
        lax.slice_in_dim(x, e - s, e, axis=axis)
        for s, e in zip(sizes, ends, strict=True)
    )


def _unbind(x: jax.Array, axis: int = 0) -> tuple[jax.Array, ...]:
    return tuple(_select(x, axis, i) for i in range(x.shape[axis]))


def _transpose(x: jax.Array, first: int = 0, second: int = 1) -> jax.Array:
    return x if x.ndim < 2 else jnp.swapaxes(x, first, second)


def _pad(x: jax.Array, pads: Sequence[int], value: float = 0) -> jax.Array:
    # From the last axis on, what is put before it and behind it; less is cut.
    given = list(zip(pads[::2], pads[1::2], strict=True))[::-1]
    around = [(0, 0, 0)] * (x.ndim - len(given)) + [(a, b, 0) for a, b in given]
    return lax.pad(x, jnp.asarray(value, x.dtype), around)


def _index(x: jax.Array, places: Sequence[jax.Array | None]) -> jax.Array:
    return x[tuple(slice(None) if p is None else p for p in places)]


def _index_put(
    x: jax.Array,
    places: Sequence[jax.Array | None],
    part: jax.Array,
    accumulate: bool = False,
) -> jax.Array:
    at = x.at[tuple(slice(None) if p is None else p for p in places)]
    return at.add(part) if accumulate else at.set(part)


def _gather(x: jax.Array, axis: int, index: jax.Array, **_: Any) -> jax.Array:
    grid = list(jnp.indices(index.shape, sparse=True))
    grid[axis] = index
    return x[tuple(grid)]


def _index_select(x: jax.Array, axis: int, index: jax.Array) -> jax.Array:
    return jnp.take(x, index, axis=axis)


def _arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None
) -> jax.Array:
    return jnp.arange(start, end, step, dtype=dtype)


def _full(sizes: Sequence[int], value: Any, *, dtype: Any = None) -> jax.Array:
    return jnp.full(tuple(sizes), value, dtype)


def _full_like(x: jax.Array, value: Any, *, dtype: Any = None) -> jax.Array:
    return jnp.full(x.shape, value, dtype or x.dtype)


def _as_strided(
    x: jax.Array, sizes: Sequence[int], strides: Sequence[int], offset: int = 0
) -> jax.Array:
    # Export makes what is read so contiguous.
    places = jnp.full((), offset or 0)
    for n, s in zip(sizes, strides, strict=True):
        places = places[..., None] + s * jnp.arange(n)
    return x.reshape(-1)[places]


def _repeat(x: jax.Array, counts: Sequence[int]) -> jax.Array:
    return jnp.tile(x.reshape((1,) * (len(counts) - x.ndim) + x.shape), counts)


def _flip(x: jax.Array, axes: Axes) -> jax.Array:
    return jnp.flip(x, axes)


def _pixel_shuffle(x: jax.Array, factor: int) -> jax.Array:
    *lead, c, h, w = x.shape
    parts = x.reshape(*lead, c // factor**2, factor, factor, h, w)
    n = len(lead)
    moved = parts.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return moved.reshape(*lead, c // factor**2, h * factor, w * factor)


def _unfold(x: jax.Array, axis: int, size: int, step: int) -> jax.Array:
    """Windows along an axis, each as a last axis."""
    axis %= x.ndim
    starts = jnp.arange(0, x.shape[axis] - size + 1, step)
    found = jnp.take(x, starts[:, None] + jnp.arange(size), axis=axis)
    return jnp.moveaxis(found, axis + 1, -1)


def _same(x: jax.Array) -> jax.Array:
    return x


SHAPES: dict[str, Callable] = {
    "_to_copy": cast,
    "_unsafe_index": _index,
    "_unsafe_view": jnp.reshape,
    "alias": _same,
    "arange": _arange,
    "as_strided": _as_strided,
    "as_strided_copy": _as_strided,
    "cat": lambda parts, axis=0: jnp.concatenate(
        [p for p in parts if p.shape != (0,)], axis
    ),
    "clone": _same,
    "constant_pad_nd": _pad,
    "contiguous": _same,
    "copy": lambda x, part: jnp.broadcast_to(part, x.shape).astype(x.dtype),
    "embedding": lambda table, places, *_: table[places],
    "empty": lambda sizes, **k: _full(sizes, 0.0, **k),  # to be written over
    "expand": _expand,
    "flip": _flip,
    "full": _full,
    "full_like": _full_like,
    "gather": _gather,
    "getitem": lambda parts, place: parts[place],
    "index": _index,
    "index_put": _index_put,
    "index_select": _index_select,
    "lift_fresh_copy": _same,
    "ones": lambda sizes, **k: _full(sizes, 1.0, **k),
    "ones_like": lambda x, **k: _full_like(x, 1, **k),
    "permute": lambda x, axes: x.transpose([a % x.ndim for a in axes]),
    "pixel_shuffle": _pixel_shuffle,
    "repeat": _repeat,
    "reshape": jnp.reshape,
    "roll": lambda x, shifts, axes=(): jnp.roll(x, shifts, axes or None),
    "scalar_tensor": lambda value, dtype=None: jnp.asarray(value, dtype),
    "select": _select,
    "select_scatter": _select_scatter,
    "slice": _slice,
    "slice_scatter": _slice_scatter,
    "split": _split,
    "split_with_sizes": _split,
    "squeeze": _squeeze,
    "stack": lambda parts, axis=0: jnp.stack(parts, axis),
    "t": _transpose,
    "transpose": _transpose,
    "tril": jnp.tril,
    "triu": jnp.triu,
    "unbind": _unbind,
    "unfold": _unfold,
    "unsqueeze": lambda x, axis: jnp.expand_dims(x, axis),
    "view": jnp.reshape,
    "zeros": lambda sizes, **k: _full(sizes, 0.0, **k),
    "zeros_like": lambda x, **k: _full_like(x, 0, **k),
}
