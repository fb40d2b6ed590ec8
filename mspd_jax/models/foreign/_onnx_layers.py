"""ONNX's layers: products, convolutions, pools, normalizations."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.models.foreign import _windows as windows
from mspd_jax.models.foreign._aten_layers import channels, standardized

Numbers = Sequence[int] | None


def _gemm(
    a: jax.Array,
    b: jax.Array,
    c: jax.Array | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> jax.Array:
    y = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return y if c is None else y + beta * c


def _pads(
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Numbers,
    rule: str,
) -> list[tuple[int, int]]:
    """What is put around the image, before and behind, by axis."""
    axes = len(window)
    if rule == "NOTSET":
        found = pads or (0,) * (2 * axes)
        return list(zip(found[:axes], found[axes:], strict=True))
    if rule == "VALID":
        return [(0, 0)] * axes
    around = []
    for n, k, s, d in zip(sizes, window, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        small, large = total // 2, total - total // 2
        around.append((small, large) if rule == "SAME_UPPER" else (large, small))
    return around


def _conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Numbers = None,
    group: int = 1,
    kernel_shape: Numbers = None,
    pads: Numbers = None,
    strides: Numbers = None,
) -> jax.Array:
    once = (1,) * (x.ndim - 2)
    steps, gaps = strides or once, dilations or once
    around = _pads(x.shape[2:], kernel.shape[2:], steps, gaps, pads, auto_pad)
    y = windows.convolve(
        x, kernel, strides=steps, pads=around, dilations=gaps, groups=group
    )
    return y if bias is None else y + channels(bias, y)


def _conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    dilations: Numbers = None,
    group: int = 1,
    kernel_shape: Numbers = None,
    output_padding: Numbers = None,
    pads: Numbers = None,
    strides: Numbers = None,
) -> jax.Array:
    once = (1,) * (x.ndim - 2)
    y = windows.convolve_transposed(
        x,
        kernel,
        strides=strides or once,
        pads=_pads((), kernel.shape[2:], once, once, pads, "NOTSET"),
        dilations=dilations or once,
        extra=output_padding or (0,) * len(once),
        groups=group,
    )
    return y if bias is None else y + channels(bias, y)


def _max_pool(
    x: jax.Array,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Numbers = None,
    pads: Numbers = None,
    storage_order: int = 0,
    strides: Numbers = None,
) -> jax.Array:
    once = (1,) * len(kernel_shape)
    steps, gaps = strides or once, dilations or once
    around = _pads(x.shape[2:], kernel_shape, steps, gaps, pads, auto_pad)
    if ceil_mode:
        over = windows.overhang_of(
            x.shape[2:], kernel_shape, strides=steps, pads=around, dilations=gaps
        )
        around = [(a, b + o) for (a, b), o in zip(around, over, strict=True)]
    return windows.pool_max(x, kernel_shape, strides=steps, pads=around, dilations=gaps)


def _average_pool(
    x: jax.Array,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    pads: Numbers = None,
    strides: Numbers = None,
) -> jax.Array:
    once = (1,) * len(kernel_shape)
    steps = strides or once
    around = _pads(x.shape[2:], kernel_shape, steps, once, pads, auto_pad)
    over = [0] * len(once)
    if ceil_mode:
        over = windows.overhang_of(
            x.shape[2:], kernel_shape, strides=steps, pads=around, dilations=once
        )
    return windows.pool_mean(
        x,
        kernel_shape,
        strides=steps,
        pads=around,
        overhang=over,
        count_padding=bool(count_include_pad),
    )


def _over_places(reduce: Callable) -> Callable:
    return lambda x: reduce(x, axis=tuple(range(2, x.ndim)), keepdims=True)


def _batch_norm(
    x: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
) -> jax.Array:
    factor = scale * lax.rsqrt(var + epsilon)
    return x * channels(factor, x) + channels(bias - mean * factor, x)


def _instance_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, *, epsilon: float = 1e-5
) -> jax.Array:
    y = standardized(x, tuple(range(2, x.ndim)), epsilon)
    return y * channels(scale, y) + channels(bias, y)


def _layer_norm(
    x: jax.Array,
    scale: jax.Array,
    bias: jax.Array | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> jax.Array:
    y = standardized(x, tuple(range(axis % x.ndim, x.ndim)), epsilon) * scale
    return y if bias is None else y + bias


def _soft(function: Callable) -> Callable:
    def soft(x: jax.Array, *, axis: int | None = None, flat: bool = False) -> Any:
        if not flat:
            return function(x, axis=-1 if axis is None else axis)
        first = 1 if axis is None else axis % x.ndim  # as it was before version 13
        return function(x, axis=tuple(range(first, x.ndim)))

    return soft


LAYERS: dict[str, Callable] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "GlobalAveragePool": _over_places(jnp.mean),
    "GlobalMaxPool": _over_places(jnp.max),
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _soft(jax.nn.log_softmax),
    "MatMul": jnp.matmul,
    "MaxPool": _max_pool,
    "Softmax": _soft(jax.nn.softmax),
}
