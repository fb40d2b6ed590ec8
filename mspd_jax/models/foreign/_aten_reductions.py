"""PyTorch's reductions: sums, means, extremes, norms along axes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

Axes = int | Sequence[int] | None


def _axes(axes: Axes) -> tuple[int, ...] | None:
    if isinstance(axes, int):
        return (axes,)
    return tuple(axes) if axes else None  # () is all of them


def _reduction(reduce: Callable) -> Callable:
    def reduced(
        x: jax.Array, axes: Axes = None, keep: bool = False, *, dtype: Any = None
    ) -> jax.Array:
        x = x if dtype is None else x.astype(dtype)
        return reduce(x, axis=_axes(axes), keepdims=keep)

    return reduced


def _extreme(reduce: Callable, arg: Callable) -> Callable:
    """max and min: of all, or along an axis, with the place, where it is not of two."""

    def reduced(x: jax.Array, axis: int | None = None, keep: bool = False) -> Any:
        if axis is None:
            return reduce(x)
        place = arg(x, axis=axis, keepdims=True)
        best = jnp.take_along_axis(x, place, axis)  # its derivative goes to one place
        return tuple(v if keep else jnp.squeeze(v, axis) for v in (best, place))

    return reduced


def _var(
    x: jax.Array, axes: Axes = None, *, correction: float | None = 1, keepdim=False
) -> jax.Array:
    free = 1 if correction is None else int(correction)
    return jnp.var(x, axis=_axes(axes), ddof=free, keepdims=keepdim)


def _var_mean(
    x: jax.Array, axes: Axes = None, *, correction: float | None = 1, keepdim=False
) -> tuple[jax.Array, jax.Array]:
    mean = jnp.mean(x, axis=_axes(axes), keepdims=keepdim)
    return _var(x, axes, correction=correction, keepdim=keepdim), mean


def _vector_norm(
    x: jax.Array,
    order: float = 2,
    axes: Axes = None,
    keep: bool = False,
    *,
    dtype: Any = None,
) -> jax.Array:
    x = x if dtype is None else x.astype(dtype)
    chosen = _axes(axes)
    size = x * jnp.sign(x)  # |x|, with a derivative of 0 at 0
    if order == math.inf:
        return jnp.max(size, axis=chosen, keepdims=keep)
    if order == 1:
        return jnp.sum(size, axis=chosen, keepdims=keep)
    power = jnp.sum(size**order, axis=chosen, keepdims=keep)
    positive = power > 0  # the derivative at zero is zero
    return jnp.where(positive, jnp.where(positive, power, 1) ** (1 / order), 0)


def _top(x: jax.Array, k: int, axis: int) -> tuple[jax.Array, jax.Array]:
    best, places = jax.lax.top_k(jnp.moveaxis(x, axis, -1), k)
    return jnp.moveaxis(best, -1, axis), jnp.moveaxis(places, -1, axis)


REDUCTIONS: dict[str, Callable] = {
    "all": _reduction(jnp.all),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "any": _reduction(jnp.any),
    "argmax": lambda x, axis=None, keep=False: jnp.argmax(x, axis, keepdims=keep),
    "argmin": lambda x, axis=None, keep=False: jnp.argmin(x, axis, keepdims=keep),
    "cumsum": lambda x, axis, dtype=None: jnp.cumsum(x, axis, dtype=dtype),
    "linalg_vector_norm": _vector_norm,
    "max": _extreme(jnp.max, jnp.argmax),
    "mean": _reduction(jnp.mean),
    "min": _extreme(jnp.min, jnp.argmin),
    "prod": _reduction(jnp.prod),
    "std": lambda x, axes=None, **k: jnp.sqrt(_var(x, axes, **k)),
    "sum": _reduction(jnp.sum),
    "topk": lambda x, k, axis=-1, *_: _top(x, k, axis),
    "var": _var,
    "var_mean": _var_mean,
}
