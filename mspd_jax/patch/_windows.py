"""Windows that hide every place where a patch can be, and what they hide.

Images are [H, W, C]; a patch is a square of `patch` x `patch` pixels, anywhere inside.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mspd_jax.attacks import check_patch
from mspd_jax.errors import InputError
from mspd_jax.models import Reach

# What a hidden pixel shows.
GRAY = 0.5


class Windows(NamedTuple):
    """Windows of one size on a grid; number n is row n // R, column n % C of it.

    Attributes:
      rows: the first pixel row of each row of windows, R of them.
      cols: the first pixel column of each column of windows, C of them.
      height, width: of every window, in pixels.
      patch: side of the squares that they hide.
      image_size: height and width of the images in which they do.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    height: int
    width: int
    patch: int
    image_size: tuple[int, int]

    @property
    def count(self) -> int:  # type: ignore[override]
        """How many there are."""
        return len(self.rows) * len(self.cols)


class Hidden(NamedTuple):
    """What each window hides of a map: a place whose row and column it meets.

    Attributes:
      rows: bool [R, h], by row of windows and row of the map.
      cols: bool [C, w].
    """

    rows: jax.Array
    cols: jax.Array


def cover(
    image_shape: tuple[int, int, int], *, patch: int, per_axis: int | None = None
) -> Windows:
    """Windows such that every square of `patch` pixels lies wholly inside one.

    Along an axis of n pixels the windows begin at 0, s, 2 s, ... and, last, flush with
    the border; their size is patch + s - 1 (Xiang et al. 2022, arXiv 2108.09135). A
    square that begins at p lies in the window that begins at the last multiple of s
    that is no larger than p, or, where there is none such, in the last window: it
    begins no later, as the square would end outside, and no more than s - 1 sooner.

    per_axis: at most so many windows along an axis, with the smallest stride s that
    does; None is a window for each place of the patch, s = 1.
    """
    height, width = image_shape[:2]
    check_patch(patch, image_shape)
    if per_axis is not None and per_axis < 1:
        raise InputError(f"windows along an axis: expected 1 or more, got {per_axis}")
    rows, tall = _along(height, patch, per_axis)
    cols, wide = _along(width, patch, per_axis)
    return Windows(rows, cols, tall, wide, patch, (height, width))


def patch_side(text: str, image_shape: tuple[int, int, int]) -> int:
    """The side of a patch from `5` (pixels) or `2.4%` (of the image's pixels).

    A share is rounded up, so that no patch of that share is larger.
    """
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            pixels = share * image_shape[0] * image_shape[1]
            side = math.ceil(math.sqrt(pixels) - 1e-9) if 0 < share <= 1 else 0
        else:
            side = int(text)
    except ValueError:
        side = 0
    if side < 1:
        raise InputError(
            f"`patch`={text}: expected the side in pixels, as 5, or a share of the "
            "image, as 2.4%"
        )
    return side


def hidden_by(
    windows: Windows, reaches: tuple[Reach, Reach], map_shape: tuple[int, ...]
) -> Hidden:
    """The places of a map that see any pixel of a window, for all of them.

    reaches, map_shape: of the map, as in `models.Split`; for the pixels themselves
    (PIXEL, PIXEL) and the image's shape.
    """
    starts = jnp.asarray(windows.rows)[:, None], jnp.asarray(windows.cols)[:, None]
    sizes = windows.height, windows.width
    along = zip(reaches, map_shape[:2], starts, sizes, strict=True)
    return Hidden(*(meets(*axis) for axis in along))


def random_window(
    key: jax.Array,
    image_shape: tuple[int, ...],
    reaches: tuple[Reach, Reach],
    map_shape: tuple[int, ...],
    *,
    size: int,
    least: int | None = None,
) -> Hidden:
    """What one window hides; all its places inside the image are equally likely.

    least: where its side is drawn, too, from `least` to `size`.
    """
    side: int | jax.Array = size
    if least is not None and least < size:
        side = jax.random.randint(jax.random.fold_in(key, 1), (), least, size + 1)
    most = jnp.asarray(image_shape[:2]) - side + 1
    starts = jax.random.randint(key, (2,), 0, most)
    along = zip(reaches, map_shape[:2], starts[:, None, None], strict=True)
    return Hidden(*(meets(*axis, side) for axis in along))


def most_hidden(hidden: Hidden) -> int:
    """The most places that any window hides."""
    tall, wide = (int(jnp.max(jnp.sum(axis, axis=-1))) for axis in hidden)
    return tall * wide


def meets(
    reach: Reach, length: int, start: jax.Array, size: int | jax.Array
) -> jax.Array:
    """Which of `length` places see any pixel from start to start + size - 1.

    start: int [..., 1]; returns bool [..., length].
    """
    place = jnp.arange(length) * reach.stride
    place = place.reshape((1,) * (start.ndim - 1) + (-1,))
    return (place + reach.low < start + size) & (place + reach.high >= start)


def gray_window(image: jax.Array, gray: jax.Array) -> jax.Array:
    """The image [H, W, C] with gray pixels where `gray`, bool [H, W]."""
    return jnp.where(gray[..., None], GRAY, image)


def hides(hidden: Hidden, number: jax.Array | int) -> jax.Array:
    """The places that window `number` hides, bool [h, w]."""
    row, col = jnp.divmod(number, hidden.cols.shape[0])
    return hidden.rows[row][:, None] & hidden.cols[col][None, :]


def _along(length, patch, per_axis):
    places = length - patch + 1
    stride = 1 if per_axis is None else math.ceil(places / per_axis)
    size = patch + stride - 1
    last = length - size
    if last <= 0:
        return (0,), length
    return (*range(0, last, stride), last), size
