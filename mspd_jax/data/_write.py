"""8-bit images as PNG."""

import io
import os

import numpy as np
from PIL import Image

from mspd_jax.runs import write_file


def encode_png(image: np.ndarray) -> bytes:
    """PNG bytes of a uint8 image [H, W, 1] (gray) or [H, W, 3] (RGB); no loss."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(
            "image must be uint8 [H, W, 1] or [H, W, 3], got "
            f"{image.dtype} {list(image.shape)}"
        )
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(squeezed)).save(buffer, format="PNG")
    return buffer.getvalue()


def write_png(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes a uint8 image [H, W, 1] or [H, W, 3] as PNG, whole or not at all."""
    write_file(path, encode_png(image))
