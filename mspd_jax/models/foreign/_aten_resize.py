"""PyTorch's enlarging and shrinking of maps [N, C, H, W], without antialiasing."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_CUBIC = -0.75  # the constant of PyTorch's bicubic kernel


def _sizes(
    x: jax.Array, sizes: Sequence[int] | None, scales: Sequence[float] | None
) -> list[int]:
    if sizes is not None:
        return list(sizes)
    if scales is None:
        raise ValueError("neither sizes nor scales")
    return [int(n * s) for n, s in zip(x.shape[2:], scales, strict=True)]


def _sources(n: int, size: int, scale: float | None, corners: bool) -> np.ndarray:
    """Where each of `size` places lies among n, as a real number."""
    if corners:
        return np.arange(size) * ((n - 1) / (size - 1) if size > 1 else 0.0)
    step = 1 / scale if scale else n / size
    return (np.arange(size) + 0.5) * step - 0.5


def _matrix(places: np.ndarray, n: int, kernel: Callable, reach: int) -> np.ndarray:
    """The weights [size, n] of an interpolation; what lies outside is the edge."""
    matrix = np.zeros((len(places), n))
    first = np.floor(places).astype(int) - reach + 1
    for k in range(2 * reach):
        weight = kernel(np.abs(places - (first + k)))
        np.add.at(
            matrix, (np.arange(len(places)), np.clip(first + k, 0, n - 1)), weight
        )
    return matrix.astype(np.float32)


def _triangle(t: np.ndarray) -> np.ndarray:
    return np.maximum(1 - t, 0)


def _cubic(t: np.ndarray) -> np.ndarray:
    a = _CUBIC
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def _interpolation(kernel: Callable, reach: int) -> Callable:
    def resized(
        x: jax.Array,
        sizes: Sequence[int] | None,
        corners: bool,
        scales: Sequence[float] | None = None,
    ) -> jax.Array:
        for axis, size in enumerate(_sizes(x, sizes, scales), start=2):
            n = x.shape[axis]
            scale = scales[axis - 2] if scales else None
            places = _sources(n, size, scale, corners)
            if reach == 1:
                places = np.maximum(places, 0)
            matrix = _matrix(places, n, kernel, reach)
            moved = jnp.moveaxis(x, axis, -1) @ jnp.asarray(matrix.T, x.dtype)
            x = jnp.moveaxis(moved, -1, axis)
        return x

    return resized


def _nearest(
    x: jax.Array, sizes: Sequence[int] | None, scales: Sequence[float] | None = None
) -> jax.Array:
    for axis, size in enumerate(_sizes(x, sizes, scales), start=2):
        n = x.shape[axis]
        step = 1 / scales[axis - 2] if scales else n / size
        places = np.minimum(np.floor(np.arange(size) * step).astype(int), n - 1)
        x = jnp.take(x, places, axis=axis)
    return x


def _with_each_scale(resized: Callable) -> Callable:
    """The overloads that take a scale for each axis instead of a list."""

    def one_by_one(x: jax.Array, sizes: Sequence[int], *rest: Any) -> jax.Array:
        axes = x.ndim - 2
        fixed, scales = rest[: len(rest) - axes], rest[len(rest) - axes :]
        if len(rest) < axes or any(s is None for s in scales):
            fixed, scales = tuple(r for r in rest if isinstance(r, bool)), ()
        return resized(x, sizes, *fixed, scales or None)

    return one_by_one


_BILINEAR, _BICUBIC = _interpolation(_triangle, 1), _interpolation(_cubic, 2)

RESIZES: dict[str, Callable] = {
    "upsample_bicubic2d": _with_each_scale(_BICUBIC),
    "upsample_bicubic2d.vec": _BICUBIC,
    "upsample_bilinear2d": _with_each_scale(_BILINEAR),
    "upsample_bilinear2d.vec": _BILINEAR,
    "upsample_nearest2d": _with_each_scale(_nearest),
    "upsample_nearest2d.vec": _nearest,
}
