"""Reading image files: upright, grey or RGB, 8 bits a channel, or refused by name.

Channels follow the file: grey modes give [H, W, 1], colour modes and palettes
[H, W, 3]. Transparency is composited over white, as a page shows it, because a model
sees no alpha and hidden colours must not steer it. Of an animation the first frame
counts. Files of more than 8 bits a channel are refused: rounding them silently would
spend part of the perturbation budget.
"""

import io

import numpy as np
from PIL import Image, ImageOps

from mspd_jax.data._record import as_float
from mspd_jax.errors import InputError

IMAGE_SUFFIXES = frozenset(
    ".bmp .gif .jfif .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)

_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
# What Pillow raises on damaged or hostile files, SyntaxError included.
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    MemoryError,
    Image.DecompressionBombError,
)


def read_image(path):
    """Image file as float32 [H, W, 1 or 3] in [0, 1]; InputError names the file."""
    return as_float(read_levels(path, path))


def read_levels(file, name, channels=None):
    """Pixels of an image file or bytes as uint8 [H, W, C]; `name` is for messages.

    channels: 1 or 3 converts to grey or RGB, None keeps what the file has.
    """
    try:
        with Image.open(_opened(file)) as image:
            _refuse_deep(image, name)
            if _orientation(image) != 1:
                image = ImageOps.exif_transpose(image)
            return _to_levels(image, channels)
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(_unreadable(name, error)) from error


def header_shape(file, name):
    """(H, W, C) of an image file or bytes from its header; errors name the file."""
    try:
        with Image.open(_opened(file)) as image:
            _refuse_deep(image, name)
            width, height = image.size
            if image.format == "TIFF":
                # Some versions of Pillow turn the size of a TIFF at opening.
                width, height = image.tag_v2[256], image.tag_v2[257]
            if _orientation(image) in _TURNED:
                width, height = height, width
            return height, width, 1 if image.mode in _GREY else 3
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(_unreadable(name, error)) from error


def _opened(file):
    return io.BytesIO(file) if isinstance(file, bytes) else file


def _unreadable(name, error):
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"cannot read the image {name} ({reason}); remove or replace it"


def _refuse_deep(image, name):
    # Pillow narrows 16-bit colour to 8 bits in silence; its raw mode still tells.
    arguments = image.tile[0][3] if image.tile else ()
    raw = (
        arguments if isinstance(arguments, str) else (tuple(arguments or ()) + ("",))[0]
    )
    if image.mode in _DEEP or ";16" in str(raw):
        raise InputError(
            f"the image {name} has more than 8 bits a channel ({image.mode}); save it "
            "with 8 bits"
        )


def _orientation(image):
    # A PNG may hold EXIF after its pixels; looking there would decode the whole file.
    known = "exif" in image.info or "Raw profile type exif" in image.info
    if image.format == "PNG" and not known:
        return 1
    return image.getexif().get(0x0112, 1)


def _to_levels(image, channels):
    grey = image.mode in _GREY if channels is None else channels == 1
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(page, image)
    image = image.convert("RGB").convert("L") if grey else image.convert("RGB")
    levels = np.asarray(image)
    return levels[..., None] if grey else levels
