"""PyTorch's layers: products, attention, convolutions, norms, pools."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mspd_jax.models.foreign import _windows as windows


def _addmm(
    bias: jax.Array, a: jax.Array, b: jax.Array, *, beta: float = 1, alpha: float = 1
) -> jax.Array:
    return beta * bias + alpha * (a @ b)


def _linear(x: jax.Array, w: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    y = x @ w.T
    return y if bias is None else y + bias


def _attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    mask: jax.Array | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> jax.Array:
    """Softmax attention; dropout is 0 in evaluation mode."""
    if dropout or enable_gqa:
        raise NotImplementedError("attention with dropout or grouped queries")
    scores = q @ jnp.swapaxes(k, -1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    if causal:
        allowed = jnp.tril(jnp.ones(scores.shape[-2:], bool))
        scores = jnp.where(allowed, scores, -jnp.inf)
    if mask is not None:
        masked = mask.dtype == bool
        scores = jnp.where(mask, scores, -jnp.inf) if masked else scores + mask
    return jax.nn.softmax(scores, axis=-1) @ v


def _each(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A number for each axis, as PyTorch takes one for all of them."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def _convolution(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None,
    strides: Sequence[int],
    padding: Sequence[int],
    dilations: Sequence[int],
    transposed: bool,
    extra: Sequence[int],
    groups: int,
) -> jax.Array:
    axes = x.ndim - 2
    shared: dict[str, Any] = {
        "strides": _each(strides, axes),
        "pads": [(p, p) for p in _each(padding, axes)],
        "dilations": _each(dilations, axes),
        "groups": groups,
    }
    if transposed:
        y = windows.convolve_transposed(x, kernel, extra=_each(extra, axes), **shared)
    else:
        y = windows.convolve(x, kernel, **shared)
    return y if bias is None else y + channels(bias, y)


def channels(v: jax.Array, x: jax.Array) -> jax.Array:
    """One value for each channel of [N, C, ...]."""
    return v.reshape(-1, *(1,) * (x.ndim - 2))


def _batch_norm(
    x: jax.Array,
    weight: jax.Array | None,
    bias: jax.Array | None,
    mean: jax.Array,
    var: jax.Array,
    momentum: float,
    eps: float,
) -> tuple[jax.Array]:
    factor = jax.lax.rsqrt(var + eps)
    factor = factor if weight is None else factor * weight
    shift = -mean * factor if bias is None else bias - mean * factor
    return (x * channels(factor, x) + channels(shift, x),)


def standardized(x: jax.Array, axes: tuple[int, ...], eps: float) -> jax.Array:
    """The array with mean 0 and variance 1 over these axes."""
    mean = jnp.mean(x, axis=axes, keepdims=True)
    centered = x - mean
    var = jnp.mean(jnp.square(centered), axis=axes, keepdims=True)
    return centered * jax.lax.rsqrt(var + eps)


def _batch_norm_of_batch(
    x: jax.Array,
    weight: jax.Array | None,
    bias: jax.Array | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[jax.Array]:
    y = standardized(x, (0, *range(2, x.ndim)), eps)
    y = y if weight is None else y * channels(weight, y)
    return (y if bias is None else y + channels(bias, y),)


def _layer_norm(
    x: jax.Array,
    shape: Sequence[int],
    weight: jax.Array | None,
    bias: jax.Array | None,
    eps: float,
) -> tuple[jax.Array]:
    y = standardized(x, tuple(range(-len(shape), 0)), eps)
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias,)


def _group_norm(
    x: jax.Array,
    weight: jax.Array | None,
    bias: jax.Array | None,
    n: int,
    width: int,
    places: int,
    groups: int,
    eps: float,
) -> tuple[jax.Array]:
    parts = x.reshape(n, groups, width // groups * places)
    y = standardized(parts, (2,), eps).reshape(x.shape)
    y = y if weight is None else y * channels(weight, y)
    return (y if bias is None else y + channels(bias, y),)


def _max_pool(
    x: jax.Array,
    size: Sequence[int],
    strides: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    dilations: int | Sequence[int] = 1,
    ceil: bool = False,
) -> tuple[jax.Array]:
    """The maxima; nobody gets their places."""
    axes = len(size)
    strides, dilations = _each(strides or size, axes), _each(dilations, axes)
    pads = [(p, p) for p in _each(padding, axes)]
    lead = x.shape[: -axes - 1] if x.ndim > axes + 1 else ()
    if ceil:
        over = windows.overhang_of(
            x.shape[-axes:], size, strides=strides, pads=pads, dilations=dilations
        )
        pads = [(a, b + o) for (a, b), o in zip(pads, over, strict=True)]
    y = windows.pool_max(
        x.reshape(-1, 1, *x.shape[-axes:]),
        size,
        strides=strides,
        pads=pads,
        dilations=dilations,
    )
    return (y.reshape(*lead, x.shape[-axes - 1], *y.shape[2:]),)


def _avg_pool(
    x: jax.Array,
    size: Sequence[int],
    strides: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
    count_padding: bool = True,
    divisor: int | None = None,
) -> jax.Array:
    axes = len(size)
    strides, sizes = _each(strides or size, axes), x.shape[-axes:]
    pads = [(p, p) for p in _each(padding, axes)]
    over = [0] * axes
    if ceil:
        once = (1,) * axes
        over = windows.overhang_of(
            sizes, size, strides=strides, pads=pads, dilations=once
        )
    y = windows.pool_mean(
        x.reshape(-1, 1, *sizes),
        size,
        strides=strides,
        pads=pads,
        overhang=over,
        count_padding=count_padding,
        divisor=divisor,
    )
    return y.reshape(*x.shape[:-axes], *y.shape[2:])


LAYERS: dict[str, Callable] = {
    "_adaptive_avg_pool2d": lambda x, sizes: windows.pool_adaptive(x, sizes, "mean"),
    "_log_softmax": lambda x, axis, _: jax.nn.log_softmax(x, axis=axis),
    "_native_batch_norm_legit": _batch_norm_of_batch,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_softmax": lambda x, axis, _: jax.nn.softmax(x, axis=axis),
    "adaptive_max_pool2d": lambda x, sizes: (windows.pool_adaptive(x, sizes, "max"),),
    "addmm": _addmm,
    "avg_pool1d": _avg_pool,
    "avg_pool2d": _avg_pool,
    "avg_pool3d": _avg_pool,
    "baddbmm": _addmm,
    "bmm": jnp.matmul,
    "convolution": _convolution,
    "dot": jnp.dot,
    "linear": _linear,
    "matmul": jnp.matmul,
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "mm": jnp.matmul,
    "mv": jnp.matmul,
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm,
    "scaled_dot_product_attention": _attention,
}
