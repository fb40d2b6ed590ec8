"""The eight ways in which EXIF says that a picture is stored (EXIF 2.3, 4.6.4)."""

import numpy as np
from PIL import Image

TAG = 0x0112
TURNED = (5, 6, 7, 8)  # these swap height and width


def orientation_of(exif: bytes) -> int:
    """The orientation that EXIF names, 1 to 8; 1 where it names none or is damaged."""
    found = Image.Exif()
    try:
        found.load(exif)
        orientation = found.get(TAG)
    except Exception:  # the directory may be anything, Pillow raises whatever comes
        return 1
    if isinstance(orientation, int) and orientation in range(1, 9):
        return int(orientation)
    return 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels [H, W, ...] as they are looked at."""
    if orientation in TURNED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright pixels [H, W, ...] as a file of this orientation stores them."""
    # A quarter turn is undone by the other one, all else by itself.
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))
