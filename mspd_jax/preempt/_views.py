"""What a network sees of a picture: a box of it, resized, as two matrices.

Resizing is linear and goes by rows and columns, so a view of a picture is

    view = rows @ picture @ columns^T        [h, w] of [H, W], for each channel

and what a change of the view's pixels means for those of the picture is the same with
the matrices turned. Both can be done piece by piece, which is how a picture of any size
is worked on in little memory.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Views(NamedTuple):
    """n views of one picture, all of one size.

    rows: float32 [n, h, H]. columns: float32 [n, w, W]. Each row sums to one.
    """

    rows: np.ndarray
    columns: np.ndarray


def resize_weights(
    size: int, length: int, *, start: int = 0, stop: int | None = None
) -> np.ndarray:
    """The matrix [length, size] that resizes start...stop of `size` pixels to `length`.

    Bilinear and antialiased, as `models.at_size` and Pillow do it: a triangle around
    the center of each new pixel, as wide as that pixel where it is the larger one.
    What lies outside of the box has no weight.
    """
    stop = size if stop is None else stop
    if not 0 <= start < stop <= size:
        raise ValueError(f"no box from {start} to {stop} in {size} pixels")
    scale = (stop - start) / length
    centers = start + (np.arange(length) + 0.5) * scale
    places = np.arange(start, stop) + 0.5
    distance = np.abs(places - centers[:, None]) / max(scale, 1.0)
    inside = np.maximum(1.0 - distance, 0.0)
    weights = np.zeros((length, size))
    weights[:, start:stop] = inside / inside.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def whole_view(shape: Sequence[int], size: tuple[int, int]) -> Views:
    """The one view of the whole picture [H, W, ...], resized to (h, w)."""
    rows, columns = (
        resize_weights(old, new)[None] for old, new in zip(shape[:2], size, strict=True)
    )
    return Views(rows, columns)


def box_views(
    shape: Sequence[int], size: tuple[int, int], boxes: np.ndarray, rescales: np.ndarray
) -> Views:
    """Views of boxes of the picture, after it has been resized itself.

    Args:
      shape: (H, W, ...) of the picture.
      size: (h, w) of a view.
      boxes: [n, 4]: top, left, bottom and right, in shares of height and width. Boxes
        have at least one pixel.
      rescales: [n], how large the picture is made before it is seen, 1 for as it is.
    """

    def matrix(axis, low, high, factor):
        old, new = shape[axis], size[axis]
        between = max(round(factor * old), 1)
        start = min(int(low * between), between - 1)
        stop = min(max(round(high * between), start + 1), between)
        weights = resize_weights(between, new, start=start, stop=stop)
        return weights if between == old else weights @ resize_weights(old, between)

    known: dict[tuple, np.ndarray] = {}  # pairs of draws share their box

    def matrices(axis):
        columns = zip(boxes[:, axis], boxes[:, axis + 2], rescales, strict=True)
        keys = [(axis, *map(float, column)) for column in columns]
        return np.stack(
            [known[k] if k in known else known.setdefault(k, matrix(*k)) for k in keys]
        )

    return Views(matrices(0), matrices(1))
