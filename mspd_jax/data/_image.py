"""Image files: read upright, gray or RGB, 8 bits a channel, or refused; PNG written.

Channels follow the file: gray modes give [H, W, 1], color modes and palettes
[H, W, 3]. What an 8-bit gray or RGB image cannot hold is refused, never dropped: more
than 8 bits or levels that are none of 8 bits (rounding them would spend a part of the
perturbation budget), an alpha channel or a transparent color even where all is opaque,
and all files of several frames or pages. The second picture that cameras hide behind a
JPEG (a preview, a gain map) is no frame of it.
"""

import contextlib
import io
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin

from mspd_jax import paths
from mspd_jax.data._record import as_float
from mspd_jax.errors import InputError, first_line
from mspd_jax.runs import write_file

IMAGE_SUFFIXES = frozenset(
    ".bmp .gif .jfif .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)

_GRAY = ("1", "L")
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


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Image file as float32 [H, W, 1 or 3] in [0, 1]; InputError names the file.

    Example:
      image = data.read_image("photo.png")
    """
    path = paths.as_path(path)
    return as_float(
        read_levels(image_bytes(path) if paths.is_store(path) else path, path)
    )


def read_levels(
    file: str | os.PathLike | bytes,
    name: str | os.PathLike,
    channels: int | None = None,
) -> np.ndarray:
    """Pixels of an image file, or of its bytes, as uint8 [H, W, C].

    name: for messages. channels: 1 or 3 converts to gray or RGB, None keeps all.
    """
    with _opened(file, name) as image:
        turned = _orientation(image) != 1
        upright = ImageOps.exif_transpose(image) if turned else image
        gray = upright.mode in _GRAY if channels is None else channels == 1
        colors = upright.convert("RGB")
        levels = np.asarray(colors.convert("L") if gray else colors)
        return levels[..., None] if gray else levels


def header_shape(
    file: str | os.PathLike | bytes, name: str | os.PathLike
) -> tuple[int, int, int]:
    """(H, W, C) of an image file or its bytes from the header; `name` as above."""
    with _opened(file, name) as image:
        width, height = image.size
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            # Some versions of Pillow turn the size of a TIFF at opening.
            width, height = image.tag_v2[256], image.tag_v2[257]
        if _orientation(image) in _TURNED:
            width, height = height, width
        return height, width, 1 if image.mode in _GRAY else 3


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


def image_bytes(path: pathlib.PurePath) -> bytes:
    """The content of an image file; InputError names it where there is none."""
    try:
        return paths.read_bytes(path)
    except OSError as error:
        raise InputError(
            f"cannot read the image {path} ({first_line(error)}); remove or replace it"
        ) from error


@contextlib.contextmanager
def _opened(
    file: str | os.PathLike | bytes, name: str | os.PathLike
) -> Iterator[ImageFile.ImageFile]:
    """An image that loses nothing with 8 bits; InputError where its use fails."""
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            _check_kind(image, name)
            yield image
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(
            f"cannot read the image {name} ({first_line(error)}); remove or replace it"
        ) from error


def _check_kind(image: ImageFile.ImageFile, name: str | os.PathLike) -> None:
    """Raises InputError where an 8-bit gray or RGB image would lose something."""
    largest = largest_level(image)
    if image.mode in _DEEP or largest > 255:
        raise InputError(
            f"the image {name} has more than 8 bits a channel ({image.mode}); save it "
            "with 8 bits"
        )
    if 255 % largest:
        raise InputError(
            f"the image {name} has levels from 0 to {largest}, which are not those of "
            "8 bits; save it with levels from 0 to 255"
        )
    # An MPO is a JPEG as cameras write it, its frames are no animation.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        frames = "pages" if image.format == "TIFF" else "frames"
        raise InputError(
            f"the image {name} has several {frames} ({image.format}); save the one "
            "that counts as a file of its own"
        )
    if image.has_transparency_data:
        raise InputError(
            f"the image {name} has an alpha channel or a transparent color "
            f"({image.mode}); save it without transparency, as gray or RGB"
        )


def largest_level(image: ImageFile.ImageFile) -> int:
    """What a file calls white, as far as Pillow narrows it to 8 bits in silence."""
    if not image.tile:
        return 255
    decoder, arguments = image.tile[0][0], image.tile[0][3]
    if isinstance(arguments, str) or not arguments:
        arguments = (arguments or "",)
    if decoder in ("ppm", "ppm_plain") and len(arguments) > 1:
        return int(arguments[1])
    return 65535 if ";16" in str(arguments[0]) else 255


def _orientation(image: ImageFile.ImageFile) -> int:
    # A PNG may hold EXIF after its pixels; looking there would decode the whole file.
    known = "exif" in image.info or "Raw profile type exif" in image.info
    if image.format == "PNG" and not known:
        return 1
    return image.getexif().get(0x0112, 1)
