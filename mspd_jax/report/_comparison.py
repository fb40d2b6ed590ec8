"""Images side by side, each with a caption: what a protection and an attack do."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

# By whether a tile is right: color of the caption and of the frame, its width, a mark.
_STYLES = {
    True: ("#1a7f37", "#1a7f37", 2.0, "\u2713 "),
    False: ("#c62828", "#c62828", 2.0, "\u2717 "),
    None: ("#444444", "#d0d0d0", 0.8, ""),
}
_TILE, _CAPTION, _HEAD, _GAP = 1.5, 0.26, 0.42, 0.12  # inches
_BOLD: dict[str, Any] = {"fontsize": 8.5, "fontweight": "bold", "linespacing": 1.1}
_CENTERED: dict[str, Any] = {"ha": "center", "va": "center", "parse_math": False}
_ENLARGED = 96  # images up to this many pixels show their pixels as squares


class Tile(NamedTuple):
    """An image, float [H, W, 1 or 3] in [0, 1], and the text below it.

    right: True paints frame and caption green with a check mark, False red with a
    cross, None leaves them gray.
    """

    image: np.ndarray
    caption: str = ""
    right: bool | None = None


def amplified(
    image: jax.Array | np.ndarray,
    original: jax.Array | np.ndarray,
    *,
    factor: float = 10.0,
) -> np.ndarray:
    """The change from `original` to `image`, enlarged around middle gray, in [0, 1]."""
    change = np.asarray(image, np.float64) - np.asarray(original, np.float64)
    return np.clip(0.5 + factor * change, 0.0, 1.0)


def comparison_picture(
    rows: Sequence[Sequence[Tile | None]], titles: Sequence[str]
) -> bytes:
    """PNG bytes of a grid of images with a title above each column.

    rows: tiles from left to right, one per title; None leaves a place empty. Images may
    differ in size and channels. Small ones are enlarged without smoothing, so that an
    8x8 digit shows its 64 pixels. Nothing global is touched: no pyplot, no settings.
    """
    # Imported here because a run without pictures should not pay for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not rows or any(len(row) != len(titles) for row in rows):
        lengths = sorted({len(row) for row in rows})
        raise ValueError(
            f"rows must each hold {len(titles)} tiles, one per title; got {lengths}"
        )
    width = len(titles) * (_TILE + _GAP) + _GAP
    height = _HEAD + len(rows) * (_TILE + _CAPTION + _GAP)
    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    for column, title in enumerate(titles):
        left = _GAP + column * (_TILE + _GAP)
        middle = (left + _TILE / 2) / width
        figure.text(middle, 1 - _HEAD / 2 / height, title, **_BOLD, **_CENTERED)
        for number, row in enumerate(rows):
            top = _HEAD + number * (_TILE + _CAPTION + _GAP)
            bottom = height - top - _TILE
            place = (left / width, bottom / height, _TILE / width, _TILE / height)
            if (tile := row[column]) is not None:
                _draw(figure.add_axes(place), tile)
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def _draw(axes: Any, tile: Tile) -> None:
    image = np.clip(np.asarray(tile.image, np.float64), 0.0, 1.0)
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"image must be [H, W, 1] or [H, W, 3], got {image.shape}")
    small = max(image.shape[:2]) <= _ENLARGED
    axes.imshow(
        np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image,
        interpolation="nearest" if small else "antialiased",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    color, frame, width, mark = _STYLES[tile.right]
    for side in axes.spines.values():
        side.set_color(frame)
        side.set_linewidth(width)
    caption = tile.caption if len(tile.caption) <= 22 else tile.caption[:21] + "\u2026"
    # The axes may be smaller than the tile for images that are not square.
    axes.set_xlabel(
        mark + caption, fontsize=8, color=color, labelpad=3, parse_math=False
    )
