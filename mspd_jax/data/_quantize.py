"""Rounding to 8 or 16 bits without leaving the ball around the original."""

import math

import numpy as np

# Float32 holds k/255 and eps to within 8e-6 of a level, so eps = 8/255 around an 8-bit
# original must still reach exactly 8 levels: 2e-5 of a level is 8e-8 in pixel units.
_GUARD = 2e-5 / 255


def quantize(
    image: np.ndarray, original: np.ndarray, *, eps: float, norm: str, top: int = 255
) -> np.ndarray:
    """8-bit image near `image` inside the eps ball around `original`.

    linf: every pixel takes the level nearest to `image` among
        max(0, ceil(top (original - eps))) ... min(top, floor(top (original + eps))),
    so the result is the nearest image of such levels in the ball.
    l2: the nearest level everywhere; where the total then leaves the ball, as few
    pixels as a greedy choice needs (least error bought per distance gained) step one
    level towards the original, until it is inside.

    Both bounds hold up to 8e-8, the rounding of float32. Host, float64.
    Raises ValueError if the ball holds no 8-bit image (only for an original that is not
    8-bit itself and a tiny eps).

    Args:
      image: float [H, W, C].
      original: float [H, W, C] in [0, 1].
      eps: radius in pixel units.
      norm: "linf" or "l2".
      top: what white is called, 255 with 8 bits or 65535 with 16.

    Returns:
      uint8 or uint16 [H, W, C]; `result / top` is what a PNG holds.

    Example:
      levels = data.quantize(protected, image, eps=8 / 255, norm="linf")
    """
    image, original = (np.asarray(x, np.float64) for x in (image, original))
    if image.shape != original.shape:
        raise ValueError(f"image is {image.shape}, original is {original.shape}")
    if not np.isfinite(image).all():
        raise ValueError("image must be finite, got NaN or infinity")
    if not (original.min() >= 0.0 and original.max() <= 1.0):  # also True for NaN
        raise ValueError(
            "original must be in [0, 1], got "
            f"[{original.min():.6g}, {original.max():.6g}]"
        )
    eps = float(eps)
    if not 0.0 <= eps < math.inf:
        raise ValueError(f"eps must be finite and >= 0, got {eps}")
    if norm not in ("linf", "l2"):
        raise ValueError(f"norm must be 'linf' or 'l2', got {norm!r}")
    rounded = _linf if norm == "linf" else _l2
    levels = rounded(top * image, top * original, top * eps, top)
    return levels.astype(np.uint8 if top <= 255 else np.uint16)


def _linf(
    image: np.ndarray, original: np.ndarray, radius: float, top: int
) -> np.ndarray:
    low = np.maximum(np.ceil(original - radius - _GUARD * top), 0)
    high = np.minimum(np.floor(original + radius + _GUARD * top), top)
    if np.any(low > high):
        gap = np.abs(original - np.rint(original)).max()
        raise ValueError(_empty_ball("linf", radius / top, gap / top))
    return np.clip(np.rint(image), low, high)


def _l2(image: np.ndarray, original: np.ndarray, radius: float, top: int) -> np.ndarray:
    levels = np.clip(np.rint(image), 0, top)
    excess = np.sum((levels - original) ** 2) - (radius + _GUARD * top) ** 2
    while excess > 0:
        step = -np.sign(levels - original)
        gain = (levels - original) ** 2 - (levels + step - original) ** 2
        cost = (levels + step - image) ** 2 - (levels - image) ** 2
        useful = np.flatnonzero(gain > 0)
        if not useful.size:
            distance = np.sqrt(np.sum((levels - original) ** 2))
            raise ValueError(_empty_ball("l2", radius / top, distance / top))
        # Equal prices keep pixel order: the result depends on nothing but the input.
        price = cost.flat[useful] / gain.flat[useful]
        useful = useful[np.argsort(price, kind="stable")]
        enough = np.searchsorted(np.cumsum(gain.flat[useful]), excess) + 1
        levels.flat[useful[:enough]] += step.flat[useful[:enough]]
        excess = np.sum((levels - original) ** 2) - (radius + _GUARD * top) ** 2
    return levels


def _empty_ball(norm: str, radius: float, distance: float) -> str:
    return (
        f"no 8-bit image lies in the {norm} ball: eps is {radius:.6g}, the "
        f"nearest is {distance:.6g} from the original (save it with 8 bits)"
    )
