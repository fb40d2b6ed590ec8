"""Blurring by a Gaussian and by medians."""

import functools

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.defenses._checks import check_amount, check_integer

# To this size medians are taken by a network of minima and maxima, which is a hundred
# times faster than sorting on CPUs, but whose compilation takes ever longer.
_MOST_NETWORK = 7


def gaussian_blur(image: jax.Array, *, width: float | jax.Array) -> jax.Array:
    """The image convolved with a Gaussian, mirrored beyond its edges.

        sum over shifts s of k(s) * (image shifted by s),   k proportional to
        exp(-|s|^2 / (2 width^2)) for |s| <= round(4 width) each way, sum k = 1

    as scipy.ndimage.gaussian_filter does with mode="reflect" and truncate=4, but that s
    is never longer than a side. width: the standard deviation in pixels, traced; 0
    leaves the image as it is. image: [H, W, C], each channel alone. Returns [H, W, C],
    linear in the image: gradient flows, to `width` as well.
    """
    check_amount("width", width)
    chex.assert_rank(image, 3)
    rows, columns = (_mixing(side, width) for side in image.shape[:2])
    # Default precision on GPUs keeps 10 bits, which is half a level.
    highest = lax.Precision.HIGHEST
    return jnp.einsum("oi,pj,ijc->opc", rows, columns, image, precision=highest)


def _mixing(side, width):
    """Convolution of one mirrored side as a matrix [side, side]."""
    width = jnp.asarray(width, jnp.float32)
    place = jnp.arange(side, dtype=jnp.float32)
    reach = jnp.floor(jnp.minimum(4.0 * width + 0.5, side))
    # The side itself between its two mirror images: position i, and its coordinate.
    copies = [-1.0 - place, place, 2.0 * side - 1.0 - place]
    gaps = jnp.stack(copies)[:, None, :] - place[None, :, None]
    # Not exactly 0, where the exponent of the pixel itself would be 0 / 0.
    profile = jnp.exp(-0.5 * jnp.square(gaps / jnp.maximum(width, 1e-3)))
    weight = jnp.sum(jnp.where(jnp.abs(gaps) <= reach, profile, 0.0), axis=0)
    return weight / jnp.sum(weight, axis=1, keepdims=True)


def median_blur(image: jax.Array, *, size: int) -> jax.Array:
    """Each pixel becomes the median of a square around it (Xu et al. 2018).

        z(i, j, c) = median of x(i + k, j + l, c), |k|, |l| <= (size - 1) / 2

    with the image mirrored beyond its edges (scipy.ndimage.median_filter, "reflect").
    size: odd, static; slow to run beyond 7. image: [H, W, C]. Returns [H, W, C], values
    of the image itself. Gradient flows to the chosen pixel, in equal shares where
    several are equal to the median. arXiv 1704.01155 (median smoothing).
    """
    size = check_integer("size", size, least=1)
    if size % 2 == 0:
        raise ValueError(f"size must be odd; got {size}")
    chex.assert_rank(image, 3)
    return _median(image, size)


# The derivative of the network would be as long again, and shares ties unevenly.
@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _median(image, size):
    height, width, _ = image.shape
    padded = _mirrored(image, size)
    shifted = [
        padded[row : row + height, column : column + width]
        for row in range(size)
        for column in range(size)
    ]
    if size > _MOST_NETWORK:
        return jnp.sort(jnp.stack(shifted, axis=-1), axis=-1)[..., size**2 // 2]
    return _middle(shifted)


@_median.defjvp
def _median_tangent(size, images, tangents):
    (image,), (tangent,) = images, tangents
    median = _median(image, size)
    image, tangent = _mirrored(image, size), _mirrored(tangent, size)

    def add(totals, number):
        corner = (number // size, number % size, 0)
        value = lax.dynamic_slice(image, corner, median.shape)
        share = (value == median).astype(median.dtype)
        moved = share * lax.dynamic_slice(tangent, corner, median.shape)
        return (totals[0] + share, totals[1] + moved), None

    # A loop, since its body is compiled once: unrolled, the compiler works out the
    # median anew in each term.
    zeros = jnp.zeros_like(median)
    (count, total), _ = lax.scan(add, (zeros, zeros), jnp.arange(size**2))
    return median, total / count


def _mirrored(image, size):
    return jnp.pad(image, ((size // 2,) * 2, (size // 2,) * 2, (0, 0)), "symmetric")


def _middle(values):
    """The median of an odd number of arrays, position by position.

    Of more than half of them the smallest and the largest cannot be the median: they
    are dropped, one that was not yet looked at comes in, and so on.
    """
    if len(values) == 1:
        return values[0]
    start = len(values) // 2 + 2
    pool, rest = list(values[:start]), list(values[start:])
    while True:
        pool = _without_extremes(pool)
        if not rest:
            return pool[0]
        pool.append(rest.pop())


def _without_extremes(pool):
    """All but the smallest and the largest, in any order."""
    pool, last = list(pool), len(pool) - 1

    def order(low, high):
        pool[low], pool[high] = (
            jnp.minimum(pool[low], pool[high]),
            jnp.maximum(pool[low], pool[high]),
        )

    for low in range(len(pool) // 2):
        order(low, last - low)
    for low in range(1, (len(pool) + 1) // 2):
        order(0, low)
    for high in range(len(pool) // 2, last):
        order(high, last)
    return pool[1:-1]
