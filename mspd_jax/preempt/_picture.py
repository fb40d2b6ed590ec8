"""MSPD of a picture of any size, at its own size, in little memory.

The surrogate sees small views of the picture: the whole of it, resized, and random
boxes. Views and the noise on them are the draws of the smoothed step. For draw i, with
its view V_i (a linear map) and noise u_i in the eps ball,

    g_i = gradient of CE(f(clip01(V_i x + u_i)), label) with respect to V_i x
    x  <- P(x - r * 3/4 * eps * mean_i sign(V_i^T g_i))

with the projection P onto the eps ball around the original and onto [0, 1].

Deviation from `mcgs`, which walks from x + u_i: the mean over the noise of the step's
own start is taken in closed form. For u uniform in [-eps, eps] and a sign s, the mean
of the step's end, min(max(u + eps s, -eps), eps), is 3/4 eps s; so no grain of the
noise stays in the picture, and noise as fine as the picture, which the resizing would
average away before the network sees it, need not be drawn. The epochs that lower the
loss and those that step away from an attack are the same then.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax.attacks import cross_entropy
from mspd_jax.preempt._mcgs import smoothing_noise
from mspd_jax.preempt._smooth import Predict
from mspd_jax.preempt._views import Views, box_views, whole_view

# One program serves pictures of all sizes, tile by tile.
TILE = (128, 512)
_STEP = 0.75  # mean length of a step of eps from a start that is uniform in the ball

Distortion = Callable[[np.ndarray], np.ndarray]
Spread = Callable[[Callable, Iterable[tuple]], Iterable]


class Sights(NamedTuple):
    """How a picture will be looked at by those whom nobody knows.

    Attributes:
      crop: least share of height and of width that a random box has.
      whole: every how manieth pair of draws sees all of the picture.
      rescale: to what share at least the picture may be made smaller before it is
        seen.
      distortions: float [H, W, C] -> the same, what may happen to the file, as JPEG
        does; gradients pass straight through. Draws take turns between none and each
        of these.
    """

    crop: float = 0.8
    whole: int = 2
    rescale: float = 1.0
    distortions: tuple[Distortion, ...] = ()


USUAL = Sights()


def protect_picture(
    key: jax.Array,
    predict: Predict,
    image: np.ndarray,
    label: int,
    *,
    eps: float,
    size: tuple[int, int, int],
    num_samples: int = 20,
    epochs: int = 2,
    learning_rate: float = 1.0,
    antithetic: bool = False,
    sights: Sights = USUAL,
    spread: Spread = itertools.starmap,
) -> np.ndarray:
    """A picture [H, W, C] that a small network guided, within eps; on the host.

    Needs two more arrays of the picture's size. Costs epochs * num_samples gradients of
    the network, and for each draw two products with the picture.

    Args:
      key: of the noise and of the boxes.
      predict: [h, w, c] -> [K], the surrogate, a callable pytree.
      image: float32 [H, W, C] in [0, 1]; C = 1 is shown to a network of three channels
        in gray.
      label: the class that it is protected for (see `view_label`).
      eps: radius of the change in pixels, l_inf.
      size: (h, w, c), what the network reads.
      num_samples, epochs, learning_rate, antithetic: as in `mcgs`, whose epochs these
        are, forward and backward ones together.
      sights: how the picture will be seen.
      spread: (function, arguments of calls) -> their results in order:
        `itertools.starmap`, or one that makes several calls at once.

    Returns:
      float32 [H, W, C], not yet rounded to levels.
    """
    x = image = np.asarray(image, np.float32)
    for epoch in range(epochs):
        epoch_key = jax.random.fold_in(key, epoch)
        noise_key, sight_key = jax.random.split(epoch_key)
        draws = jnp.arange(num_samples)
        views = drawn_views(
            sight_key, image.shape, size[:2], num_samples, sights, paired=antithetic
        )
        noise = smoothing_noise(noise_key, draws, size, eps=eps, antithetic=antithetic)
        seen = _seen_each(x, views, sights.distortions, spread)
        slopes = np.asarray(view_slopes(predict, seen, noise, label))
        x = _stepped(x, image, views, slopes, eps, _STEP * learning_rate, spread)
    return x


def count_calls(
    shape: Sequence[int], *, num_samples: int, epochs: int = 2, sights: Sights = USUAL
) -> int:
    """How many calls `protect_picture` gives to `spread` for such a picture."""
    versions = np.unique(turns(num_samples, 1 + len(sights.distortions)))
    return epochs * (len(versions) + 1) * len(_corners(shape))


def view_label(predict: Predict, image: np.ndarray, size: tuple[int, int, int]) -> int:
    """The class that a network sees in the whole picture."""
    seen = see(image, whole_view(image.shape, size[:2]))[0]
    return int(_class_of(predict, np.broadcast_to(seen, size)))


def drawn_views(
    key: jax.Array,
    shape: Sequence[int],
    size: tuple[int, int],
    count: int,
    sights: Sights,
    *,
    paired: bool,
) -> Views:
    """The views of `count` draws: the whole picture in turns with random boxes.

    paired: draws 2j and 2j + 1, of opposite noise, see the same box.
    """
    address = np.arange(count) // (2 if paired else 1)
    chances = np.asarray(jax.random.uniform(key, (int(address[-1]) + 1, 5)))[address]
    least = np.where(address % sights.whole == 0, 1.0, sights.crop)[:, None]
    sides = least + (1.0 - least) * chances[:, :2]
    corners = (1.0 - sides) * chances[:, 2:4]
    rescales = 1.0 - (1.0 - sights.rescale) * chances[:, 4]
    return box_views(
        shape, size, np.concatenate([corners, corners + sides], 1), rescales
    )


def see(
    image: np.ndarray, views: Views, *, spread: Spread = itertools.starmap
) -> np.ndarray:
    """The views of a picture, [n, h, w, C]; tile by tile, added up in their order."""
    tiles = (
        (_padded(image, top, left), *_tiles_of(views, top, left))
        for top, left in _corners(image.shape)
    )
    seen = np.zeros((), np.float32)
    for part in spread(seen_tile, tiles):
        seen = seen + np.asarray(part)
    return seen


@jax.jit
def seen_tile(tile: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """What a tile [a, b, C] adds to the views, [n, h, w, C].

    rows: [n, h, a] and columns: [n, w, b] of the tile's place.
    """
    across = jnp.einsum("nha,abc->nhbc", rows, tile)
    return jnp.einsum("nhbc,nwb->nhwc", across, columns)


@jax.jit
def turned_tile(slopes: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """The mean sign of what the slopes of the views mean for a tile, [a, b, C]."""
    across = jnp.einsum("nhwc,nwb->nhbc", slopes, columns)

    def add(number, total):
        slope = jnp.einsum("ha,hbc->abc", rows[number], across[number])
        return total + jnp.sign(slope)

    shape = rows.shape[2], columns.shape[2], slopes.shape[3]
    total = lax.fori_loop(0, len(rows), add, jnp.zeros(shape, slopes.dtype))
    return total / len(rows)


@jax.jit
def view_slopes(
    predict: Predict, seen: jax.Array, noise: jax.Array, label: jax.Array
) -> jax.Array:
    """Gradients of the loss with respect to views [n, h, w, C], at noise on them."""

    def slope(view, u):
        def loss(view):
            shown = jnp.broadcast_to(view, u.shape)  # gray in all channels
            return cross_entropy(predict(jnp.clip(shown + u, 0.0, 1.0)), label)

        return jax.grad(loss)(view)

    return jax.vmap(slope)(seen, noise)


@jax.jit
def _class_of(predict: Predict, image: jax.Array) -> jax.Array:
    return jnp.argmax(predict(image))


def turns(draws: int, versions: int) -> np.ndarray:
    """Which version of the picture each draw sees, int [draws]; pairs see one."""
    return np.arange(draws) // 2 % versions


def _seen_each(
    x: np.ndarray, views: Views, distortions: Sequence[Distortion], spread: Spread
) -> np.ndarray:
    """Each draw sees its version of the picture: as it is, or after a distortion."""
    versions: list[Distortion] = [lambda image: image, *distortions]
    turn = turns(len(views.rows), len(versions))
    seen: np.ndarray | None = None
    for number, version in enumerate(versions):
        chosen = np.flatnonzero(turn == number)
        if not len(chosen):
            continue
        some = see(
            version(x), Views(views.rows[chosen], views.columns[chosen]), spread=spread
        )
        if seen is None:
            seen = np.empty((len(turn), *some.shape[1:]), np.float32)
        seen[chosen] = some
    assert seen is not None
    return seen


def _stepped(
    x: np.ndarray,
    image: np.ndarray,
    views: Views,
    slopes: np.ndarray,
    eps: float,
    rate: float,
    spread: Spread,
) -> np.ndarray:
    """x - rate * eps * the mean sign of all draws, kept in the ball and in [0, 1]."""
    corners = _corners(x.shape)
    moves = ((slopes, *_tiles_of(views, top, left)) for top, left in corners)
    # Each tile is read before it is written; the original stays.
    result = np.empty_like(x) if x is image else x
    for (top, left), mean in zip(corners, spread(turned_tile, moves), strict=True):
        place = slice(top, top + TILE[0]), slice(left, left + TILE[1])
        height, width = x[place].shape[:2]
        moved = x[place] - rate * eps * np.asarray(mean)[:height, :width]
        near = np.clip(moved, image[place] - eps, image[place] + eps)
        result[place] = np.clip(near, 0.0, 1.0)
    return result


def _corners(shape: Sequence[int]) -> list[tuple[int, int]]:
    return [
        (top, left)
        for top in range(0, shape[0], TILE[0])
        for left in range(0, shape[1], TILE[1])
    ]


def _tiles_of(views: Views, top: int, left: int) -> tuple[np.ndarray, np.ndarray]:
    """The parts of the matrices for a tile; without weight outside the picture."""

    def part(matrices, start, side):
        found = matrices[:, :, start : start + side]
        return np.pad(found, ((0, 0), (0, 0), (0, side - found.shape[2])))

    return part(views.rows, top, TILE[0]), part(views.columns, left, TILE[1])


def _padded(image: np.ndarray, top: int, left: int) -> np.ndarray:
    tile = image[top : top + TILE[0], left : left + TILE[1]]
    missing = [(0, side - have) for side, have in zip(TILE, tile.shape, strict=False)]
    return np.pad(tile, (*missing, (0, 0)))
