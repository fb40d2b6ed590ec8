"""Convolutions by oneDNN, which jaxlib carries for CPUs but does not call by itself.

It takes half the time of XLA's own convolutions (PyTorch's are the same library). Its
thunk in XLA is reached by a custom call, whose settings are an affair of XLA: where
they are wrong, the process is aborted. So it is asked only in versions that were tried.
XLA cannot write such a program into the compilation cache, so that each run compiles
it anew: worth it for trainings, hence the switch (`library_convolutions`).
"""

import functools
import importlib.metadata
import json
import math
import platform
from collections.abc import Sequence

import jax
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution._direct import Padding, Pair, output_size

_TRIED = ("0.10.2", "0.12.0.1")
# Multiplications below which the calls cost more than they save.
_MIN_PRODUCTS = 10_000_000
# Numbers that stay in the cache of a core while they are multiplied.
_BLOCK = 2**18


@functools.cache
def available() -> bool:
    """Whether this jaxlib is one whose way to call oneDNN is known."""
    machine = platform.system(), platform.machine()
    return (
        machine == ("Linux", "x86_64")
        and importlib.metadata.version("jaxlib") in _TRIED
    )


def is_compiled_anew(program: str) -> bool:
    """Whether a lowered program asks oneDNN, and so is not kept between runs."""
    return "__onednn$" in program


def pays_off(pixels: int, kernel: Sequence[int], padding: Padding) -> bool:
    """Whether to ask oneDNN: `pixels` of all outputs, a kernel [h, w, C, K]."""
    enough = pixels * math.prod(kernel) >= _MIN_PRODUCTS
    return available() and enough and min(min(pads) for pads in padding) >= 0


def convolve(
    lhs: jax.Array, rhs: jax.Array, strides: Pair, padding: Padding
) -> jax.Array:
    """The dense convolution: lhs [N, H, W, C], rhs [h, w, C, K]; no padding below 0."""
    outputs = output_size(lhs.shape[1:3], rhs.shape[:2], strides, padding)
    images = {"data": {"batch_dim": 0, "feature_dim": 3, "spatial_dims": [1, 2]}}
    kernel = {
        "filter": {
            "input_feature_dim": 2,
            "output_feature_dim": 3,
            "spatial_dims": [0, 1],
        }
    }
    settings = {
        "dims": 4,
        "feature_groups": 1,
        "input": {"dims": 4, **images},
        "kernel": {"dims": 4, **kernel},
        "output": {"dims": 4, **images},
        "window": {
            "pad_left": [low for low, _ in padding],
            "pad_right": [high for _, high in padding],
            "strides": list(strides),
            "window_dilations": [1, 1],
        },
    }
    shape = (len(lhs), *outputs, rhs.shape[3])
    return _call("convolution", "conv", settings, shape, lhs, rhs)


def kernel_gradient(
    lhs: jax.Array, cotangent: jax.Array, window: Pair, strides: Pair, padding: Padding
) -> jax.Array:
    """Gradient in the kernel, [h, w, C, K], as matrix products over all pixels.

    lhs: [N, H, W, C]; cotangent: [N, H', W', K]. A block of images at a time, so that
    what is multiplied does not leave the cache.
    """
    part = functools.partial(
        _by_shifts if tuple(strides) == (1, 1) else _by_windows,
        window=window,
        strides=strides,
        padding=padding,
    )
    images = len(lhs)
    copies = (window[1] * lhs[0].size, window[0] * cotangent[0].size)
    fitting = max(1, _BLOCK // sum(copies))
    block = max(n for n in range(1, images + 1) if images % n == 0 and n <= fitting)
    if block == images:
        return part(lhs, cotangent)
    blocks = [jnp.reshape(x, (-1, block, *x.shape[1:])) for x in (lhs, cotangent)]
    zeros = jnp.zeros((*window, lhs.shape[3], cotangent.shape[3]), lhs.dtype)
    return lax.scan(lambda total, xs: (total + part(*xs), None), zeros, blocks)[0]


def _by_shifts(lhs, cotangent, *, window, strides, padding):
    """One product for all entries of the kernel, whose columns shift one factor and
    whose rows shift the other.

    On a grid of pixels in a row, with zeros between lines and between images as wide
    as the padding, entry (a, b) is the sum over p of x[p + b] g[p - a * width].
    """
    del strides
    (top, bottom), (left, right) = padding
    height = max(lhs.shape[1] + max(top, bottom), cotangent.shape[1])
    width = max(lhs.shape[2] + max(left, right), cotangent.shape[2])

    def in_a_row(x):
        gaps = ((0, 0), (0, height - x.shape[1]), (0, width - x.shape[2]), (0, 0))
        return jnp.reshape(jnp.pad(x, gaps), (-1, x.shape[3]))

    def shifted(x, by):  # x[p + by]
        return lax.pad(x, x.dtype.type(0), ((-by, by, 0), (0, 0, 0)))

    pixels, changes = in_a_row(lhs), in_a_row(cotangent)
    columns = [shifted(pixels, b - left) for b in range(window[1])]
    rows = [shifted(changes, (top - a) * width) for a in range(window[0])]
    product = _product(jnp.concatenate(columns, 1), jnp.concatenate(rows, 1))
    entries = (window[1], lhs.shape[3], window[0], cotangent.shape[3])
    return jnp.transpose(jnp.reshape(product, entries), (2, 0, 1, 3))


def _by_windows(lhs, cotangent, *, window, strides, padding):
    """The pixels under every entry of the kernel, times the cotangent."""
    lhs = jnp.pad(lhs, ((0, 0), *padding, (0, 0)))
    down, right = strides
    rows, columns = (
        stride * (count - 1) + 1
        for stride, count in zip(strides, cotangent.shape[1:3], strict=True)
    )
    pixels = [
        lhs[:, a : a + rows : down, b : b + columns : right]
        for a in range(window[0])
        for b in range(window[1])
    ]
    flat = [
        jnp.reshape(x, (-1, x.shape[3]))
        for x in (jnp.concatenate(pixels, axis=3), cotangent)
    ]
    shape = (*window, lhs.shape[3], cotangent.shape[3])
    return jnp.reshape(_product(*flat), shape)


def _product(left, right):
    """left^T right, of [P, M] and [P, N]."""
    shape = (left.shape[1], right.shape[1])
    return _call("matmul", "matmul", {"transpose_a": True}, shape, left, right)


def _call(operation, kind, settings, shape, *operands):
    call = jax.ffi.ffi_call(
        f"__onednn${operation}",
        jax.ShapeDtypeStruct(shape, jnp.float32),
        custom_call_api_version=1,
        legacy_backend_config=json.dumps({f"onednn_{kind}_config": settings}),
    )
    return call(*operands)
