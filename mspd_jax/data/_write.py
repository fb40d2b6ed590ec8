"""Writing files whole or not at all, and 8-bit images as PNG."""

import io
import os
import pathlib

import numpy as np
from PIL import Image


def write_file(path, data):
    """Write bytes so that `path` holds all of them or what it held before.

    The bytes go to a hidden neighbour first and take the name in one step. The
    neighbour's name is fixed, so that a writer killed half-way leaves nothing behind
    once it has run again. Parent folders are made.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def encode_png(image):
    """PNG bytes of a uint8 image [H, W, 1] (grey) or [H, W, 3] (RGB); no loss."""
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


def write_png(path, image):
    """Write a uint8 image [H, W, 1] or [H, W, 3] as PNG, whole or not at all."""
    write_file(path, encode_png(image))
