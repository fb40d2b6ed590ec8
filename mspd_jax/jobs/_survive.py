"""What happens to pictures after their release, in words that a flag holds."""

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from mspd_jax import preempt
from mspd_jax.errors import InputError

SURVIVE_FORMS = ("jpeg:75-95", "resize:0.5-1", "crop:0.9-1", "screenshot")
FORMS = ", ".join(SURVIVE_FORMS)
_RANGE = re.compile(r"(jpeg|resize|crop):(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
# A screen that is smaller than the picture, a frame cut off, and a chat that packs it.
_SCREENSHOT = ("resize:0.5-1", "crop:0.95-1", "jpeg:80-90")


def sights_of(survive: Sequence[str] | None) -> preempt.Sights:
    """The expectation over what `survive` lists; InputError for what is none of it."""
    sights = preempt.Sights()
    words = [part for word in survive or () for part in _parts(word)]
    for word in words:
        found = _RANGE.fullmatch(word)
        low, high = (float(found[2]), float(found[3])) if found else (0.0, -1.0)
        kind = found[1] if found else ""
        top = 100 if kind == "jpeg" else 1
        if not 0 < low <= high <= top or (kind != "jpeg" and high != 1):
            raise InputError(f"`survive`={word}: accepted are {FORMS}")
        if kind == "resize":
            sights = sights._replace(rescale=min(low, sights.rescale))
        elif kind == "crop":
            sights = sights._replace(crop=min(low, sights.crop))
        else:
            qualities = sorted({round(q) for q in np.linspace(low, high, 3)})
            more = tuple(jpeg_copy(quality) for quality in qualities)
            sights = sights._replace(distortions=sights.distortions + more)
    return sights


def _parts(word: str) -> Sequence[str]:
    return _SCREENSHOT if word == "screenshot" else (word,)


def jpeg_copy(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    """float [H, W, C] in [0, 1] -> the same after a JPEG of this quality."""

    def copied(image: np.ndarray) -> np.ndarray:
        levels = np.rint(image * 255).astype(np.uint8)
        gray = levels.shape[2] == 1
        buffer = io.BytesIO()
        picture = Image.fromarray(levels[..., 0] if gray else levels)
        picture.save(buffer, format="JPEG", quality=quality)
        with Image.open(buffer) as again:
            pixels = np.asarray(again, np.float32) / 255
        return pixels[..., None] if gray else pixels

    return copied
