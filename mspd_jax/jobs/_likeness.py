"""How like its original a picture is, some rows at a time."""

import math

import dm_pix
import jax
import numpy as np

_ROWS = 128
_WINDOW = 11  # pixels of a side, of the windows that SSIM compares
_SIGMA = 1.5


def likeness(original: np.ndarray, changed: np.ndarray) -> dict[str, float | None]:
    """Largest change of a pixel, PSNR in dB and SSIM of levels [H, W, C].

    PSNR is None where nothing changed, SSIM for pictures below 11 pixels.
    """
    top = np.iinfo(original.dtype).max
    largest, squares = 0, 0.0
    for at in range(0, len(original), _ROWS):
        rows = slice(at, at + _ROWS)
        change = changed[rows].astype(np.int64) - original[rows]
        largest = max(largest, int(np.abs(change).max()))
        squares += float(np.square(change).sum())
    error = squares / original.size / top**2
    return {
        "largest_change": round(largest / top, 6),
        "psnr": round(-10 * math.log10(error), 3) if error else None,
        "ssim": _ssim(original, changed, top),
    }


def _ssim(original: np.ndarray, changed: np.ndarray, top: int) -> float | None:
    """The mean over all windows, by bands that overlap by a window."""
    height, width, channels = original.shape
    if min(height, width) < _WINDOW:
        return None
    total, step = 0.0, _ROWS - _WINDOW + 1
    for at in range(0, height - _WINDOW + 1, step):
        bands = (
            _padded((picture[at : at + _ROWS] / top).astype(np.float32), _ROWS)
            for picture in (original, changed)
        )
        windows = min(step, height - _WINDOW + 1 - at)
        total += float(np.asarray(_ssim_map(*bands))[:windows].sum(dtype=np.float64))
    count = (height - _WINDOW + 1) * (width - _WINDOW + 1) * channels
    return round(total / count, 6)


@jax.jit
def _ssim_map(one: jax.Array, other: jax.Array) -> jax.Array:
    # Whatever a caller asks of its own arrays, dm_pix mixes types and ranks.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return dm_pix.ssim(one, other, return_map=True, filter_fn=_blurred)


def _blurred(image: jax.Array) -> jax.Array:
    """Means over all windows, by the Gaussian of 1.5 pixels that SSIM has.

    As sums of shifted pictures: that of dm_pix, convolutions row by row, takes twice as
    long, more than all else that is done to a picture.
    """
    weights = np.exp(-0.5 * (np.arange(_WINDOW) - _WINDOW // 2) ** 2 / _SIGMA**2)
    weights = weights / weights.sum()
    height, width = (side - _WINDOW + 1 for side in image.shape[:2])
    lines = sum(w * image[n : n + height] for n, w in enumerate(weights.tolist()))
    return sum(w * lines[:, n : n + width] for n, w in enumerate(weights.tolist()))


def _padded(band: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(band, ((0, rows - len(band)), (0, 0), (0, 0)))
