"""Shapes that the Square attack adds: where its windows lie, and the l2/l1 bumps."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy

# The share of pixels in a window halves after these trials (of 10,000 if rescaled).
_HALVE_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
# How fast a bump fades, by norm: its k-th square adds 1 / k^2 or 1 / k^4.
_FADING = {"l2": 2, "l1": 4}


def halvings(trials: int, *, rescale: bool) -> np.ndarray:
    """How often the share of pixels has been halved at trial 0, ...; int32 [trials]."""
    trial = np.arange(trials, dtype=np.int64)
    if rescale:
        trial = trial * 10_000 // trials
    passed = trial[:, None] > np.array(_HALVE_AFTER)
    return np.asarray(np.sum(passed, axis=1, dtype=np.int32))


def window_size(halved, shape, *, p_init, norm) -> jax.Array:
    """Side of the square window, int32 []: round(sqrt(p H W)), p = p_init / 2^halved.

    At least 1 and at most the shorter side; in l2 and l1 also odd and at least 3, as
    far as that fits, because a bump has two halves around a middle.

    halved: int []; shape: [H, W, C], static; p_init: traced.
    """
    height, width, _ = shape
    share = p_init * 0.5 ** jnp.asarray(halved, jnp.float32)
    size = jnp.round(jnp.sqrt(share * (height * width))).astype(jnp.int32)
    side = min(height, width)
    if norm == "linf":
        return jnp.clip(size, 1, side)
    largest = side if side < 3 else (side - 1) // 2 * 2 + 1
    return jnp.minimum(jnp.maximum(size, 3) // 2 * 2 + 1, largest)


def window(corner, size, shape) -> jax.Array:
    """Which pixels lie in a square: bool [H, W, 1].

    corner: two numbers in [0, 1) that choose among all possible first rows and columns.
    A comparison for each pixel, not a write at a position, which is slow under `vmap`.
    """
    row, column = _offsets(corner, size, shape[:2])
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    return inside[..., None]


def place_bump(bump, corner, flip, size) -> jax.Array:
    """The bump moved to the window at `corner`, transposed where `flip`: [H, W, 1].

    bump: [H, W] with its square in the upper left corner. Zero outside the window.
    """
    row, column = _offsets(corner, size, bump.shape)
    width = bump.shape[1]
    position = jnp.where(flip, column * width + row, row * width + column)
    moved = bump.reshape(-1)[position][..., None]
    return jnp.where(window(corner, size, bump.shape), moved, 0.0)


def _offsets(corner, size, lengths):
    """Row and column of each pixel, counted from the window's first; int [H, W]."""
    offsets = []
    for axis, length in enumerate(lengths):
        places = (length - size + 1).astype(jnp.float32)
        first = jnp.floor(corner[axis] * places).astype(jnp.int32)
        offsets.append(jax.lax.broadcasted_iota(jnp.int32, lengths, axis) - first)
    return offsets


def make_bump(size, shape, *, norm) -> jax.Array:
    """Two opposite hills side by side in a square of side `size`, of norm 1: [H, W].

    In the upper part of the square, of height a = size // 2, stands

        v(i, j) = sum of 1 / k^q over k = d + 1, ..., m,
        d = max(|i - a // 2|, |j - size // 2|),  m = max(a // 2, size // 2) + 1,

    that is nested squares that fade outward, q = 2 in l2 and 4 in l1, divided by its
    norm; in the lower part, of height a = size - size // 2, stands minus the same. A
    square of side 1 has a lower part only.

    size: int [], traced, at least 1; shape: [H, W, ...], static. The square lies in the
    upper left corner; zero elsewhere.
    """
    height, width = shape[:2]
    # Tails of the infinite sum: the difference of two keeps the digits of a faint rim.
    tail = scipy.special.zeta(_FADING[norm], np.arange(1, max(height, width) + 2))
    tail = jnp.asarray(tail, jnp.float32)
    row = jax.lax.broadcasted_iota(jnp.int32, (height, width), 0)
    column = jax.lax.broadcasted_iota(jnp.int32, (height, width), 1)
    half = size // 2

    def hill(first, tall):
        down = jnp.abs(row - first - tall // 2)
        distance = jnp.maximum(down, jnp.abs(column - half))
        value = tail[distance] - tail[jnp.maximum(tall // 2, half) + 1]
        inside = (row >= first) & (row < first + tall) & (column < size)
        value = jnp.where(inside, value, 0.0)
        return value / jnp.maximum(length_of(value, norm=norm), 1e-30)

    both = hill(0, half) - hill(half, size - half)
    return both / length_of(both, norm=norm)


def bump_grid(key, shape, *, norm) -> jax.Array:
    """A grid of bumps, each with a random sign for every channel: [H, W, C].

    Their side is a fifth of the shorter side (at least 1), the grid lies in the middle,
    and each bump is transposed or not at random.

    Deviation: the reference takes a fifth of the height and five of them to find the
    middle, which does not fit images below 5 pixels or with a width that differs.
    """
    height, width, channels = shape
    size = max(min(height, width) // 5, 1)
    tiles = (height // size, width // size)
    bump = make_bump(jnp.int32(size), (size, size), norm=norm)
    key_sign, key_flip = jax.random.split(key)
    sign = jax.random.rademacher(key_sign, (*tiles, channels), dtype=bump.dtype)
    flip = jax.random.bernoulli(key_flip, shape=tiles)

    def fill(choices):
        return jnp.repeat(jnp.repeat(choices, size, axis=0), size, axis=1)

    bumps = jnp.where(fill(flip), jnp.tile(bump.T, tiles), jnp.tile(bump, tiles))
    grid = bumps[..., None] * fill(sign)
    spare = (height - tiles[0] * size, width - tiles[1] * size)
    margin = [(gap // 2, gap - gap // 2) for gap in spare]
    return jnp.pad(grid, [*margin, (0, 0)])


def length_of(x, *, norm, axis=None) -> jax.Array:
    """The l2 or l1 norm of `x`, or norms over `axis` with that axis kept."""
    keep = axis is not None
    if norm == "l1":
        return jnp.sum(jnp.abs(x), axis=axis, keepdims=keep)
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axis, keepdims=keep))
