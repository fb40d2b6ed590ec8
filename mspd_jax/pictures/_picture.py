"""What a picture is: its levels, upright, and all that its file held beside them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Picture(NamedTuple):
    """A picture as it is looked at, and what brings it back to how it was stored.

    Attributes:
      levels: uint8 or uint16 [H, W, C], upright; C is 1 for gray, 3 for RGB.
      alpha: of the same type [H, W], upright, or None where the file has none.
      orientation: how the file stores it, the tag of its EXIF, 1 to 8.
      mode: what the file holds, as Pillow calls it: L, RGB, P, LA, I;16, ...
      kept: what else the file holds, as it stands there. exif (bytes that begin with
        `Exif` and two zeros), icc_profile and xmp (bytes), dpi (two floats); of a JPEG
        comment (bytes), iptc (its blocks, bytes; of a TIFF, too) and how many pictures
        stand behind it, which are never written (behind: previews, gain maps); of a
        PNG text and color (pairs of the name of a chunk and its bytes).
    """

    levels: np.ndarray
    alpha: np.ndarray | None
    orientation: int
    mode: str
    kept: Mapping[str, Any]
