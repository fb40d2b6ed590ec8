"""Reading a picture: upright, whole, or refused in one line.

The kind of a file follows from its first bytes, and Pillow is asked for that kind
alone: no other of its readers, some of which run other programs, ever sees the file.
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from mspd_jax import paths
from mspd_jax.errors import InputError, StoreError, first_line
from mspd_jax.pictures._file import File, open_file, refused
from mspd_jax.pictures._heif import open_heif
from mspd_jax.pictures._kept import exif_of, kept_of
from mspd_jax.pictures._kind import HEAD, READ, kind_of
from mspd_jax.pictures._orientation import TURNED, orientation_of, upright
from mspd_jax.pictures._picture import Picture
from mspd_jax.pictures._refuse import GRAY, reason_against

# Pillow stops before, at 178 megapixels, unless PIL.Image.MAX_IMAGE_PIXELS is raised.
MOST_PIXELS = 200_000_000
# Gray of 2 and 4 bits is spread over 0 to 255, its transparent level is not.
_SPREAD = {"L;2": 85, "L;4": 17}


def read_picture(path: str | os.PathLike) -> Picture:
    """A picture file, whole; InputError says in one line what could not be kept.

    Refused: more than 8 bits in color, levels that are none of 8 or 16 bits, inks,
    floats, animations, several pages, raw photographs, damaged files, and more than
    178 megapixels (200 where `PIL.Image.MAX_IMAGE_PIXELS` was raised), for memory.

    Example:
      picture = pictures.read_picture("holiday.jpg")
    """
    path = paths.as_path(path)
    try:
        file = paths.read_bytes(path) if paths.is_store(path) else path
    except OSError as error:
        raise refused(path, f"cannot be read ({_why(error)})") from error
    return decode_picture(file, path)


def decode_picture(file: File, name: str | os.PathLike) -> Picture:
    """The same of a file, or of its bytes; `name` is for messages."""
    with _opened(file, name) as image:
        mode, key = image.mode, _transparent_level(image)
        kept = kept_of(image)
        orientation = orientation_of(kept.get("exif", b""))
        shape = _shape(image, orientation)
        levels, alpha = _planes(image, key)
        if not isinstance(image, TiffImagePlugin.TiffImageFile):
            levels = upright(levels, orientation)
            alpha = alpha if alpha is None else upright(alpha, orientation)
        if levels.shape != shape:
            raise refused(name, "has another size than its header says; replace it")
        return Picture(levels, alpha, orientation, mode, kept)


def picture_shape(file: File, name: str | os.PathLike) -> tuple[int, int, int]:
    """(H, W, C) of a picture, upright, from its header; InputError as above."""
    with _opened(file, name) as image:
        return _shape(image, orientation_of(exif_of(image)))


def picture_floats(file: File, name: pathlib.PurePath) -> np.ndarray:
    """The levels of a picture as float32 [H, W, C] in [0, 1]."""
    levels = decode_picture(file, name).levels
    return levels.astype(np.float32) / np.float32(np.iinfo(levels.dtype).max)


@contextlib.contextmanager
def _opened(file: File, name: str | os.PathLike) -> Iterator[Image.Image]:
    """A picture of which nothing is lost; InputError where its use fails."""
    try:
        with open_file(file) as stream:
            image = _identified(stream)
            if isinstance(image, str):
                raise refused(name, image)
            reason = reason_against(image, MOST_PIXELS)
            if reason is not None:
                raise refused(name, reason)
            with image:
                yield image
    except (InputError, StoreError):
        raise
    except Image.DecompressionBombError as error:
        raise refused(
            name,
            "has more pixels than the 178 megapixels that are read, or says so; make "
            "it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS",
        ) from error
    except Exception as error:  # readers of many formats, which document no types
        raise refused(name, f"cannot be read ({_why(error)})") from error


def _identified(stream: BinaryIO) -> Image.Image | str:
    """A picture whose pixels have not been read, or why there is none."""
    head = stream.read(HEAD)
    stream.seek(0)
    if not head:
        return "is empty (0 bytes)"
    kind = kind_of(head)
    if kind is None:
        return f"is no picture of a kind that is read ({READ})"
    if kind == "HEIF":
        return open_heif(stream)
    if kind == "AVIF":
        reason = _against_avif(stream.read())
        if reason is not None:
            return reason
    return Image.open(stream, formats=[kind])


def _against_avif(content: bytes) -> str | None:
    # Pillow narrows it to 8 bits in silence. The third byte of a configuration of the
    # codec has a bit that says whether there are more.
    if any(ord(found[1]) & 0x40 for found in re.finditer(b"(?s)av1C..(.)", content)):
        return "has more than 8 bits a channel (AVIF); save it with 8 bits"
    if not _has_avif():
        return "is AVIF, which this version of Pillow cannot read; update Pillow"
    return None


def _has_avif() -> bool:
    Image.init()
    return "AVIF" in Image.OPEN


def _shape(image: Image.Image, orientation: int) -> tuple[int, int, int]:
    """(H, W, C) of a picture, upright, before it is loaded."""
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Some versions of Pillow turn the size of a TIFF at opening.
        width, height = image.tag_v2[256], image.tag_v2[257]
    if orientation in TURNED:
        width, height = height, width
    return height, width, 1 if image.mode in GRAY else 3


def _transparent_level(image: Image.Image) -> Any:
    """The level or color that a file of no alpha channel calls transparent, or None."""
    key = image.info.get("transparency")
    if image.mode not in ("1", "L", "RGB") or key is None:
        return None
    if image.mode == "1":
        return 255 if key else 0  # some versions of Pillow say 1
    tile = getattr(image, "tile", None)
    arguments = tile[0][3] if tile else None
    return key * _SPREAD[arguments] if arguments in _SPREAD else key


def _planes(image: Image.Image, key: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Levels [H, W, C], and alpha [H, W] or None."""
    if image.mode in ("P", "PA"):
        image.load()
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    pixels = np.asarray(image)
    if pixels.dtype == bool:
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
    elif pixels.dtype != np.uint8:
        pixels = pixels.astype(np.uint16)  # also of another order of bytes
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    if pixels.shape[-1] in (2, 4):
        return np.ascontiguousarray(pixels[..., :-1]), pixels[..., -1].copy()
    if key is None:
        return pixels, None
    hidden = (pixels == np.atleast_1d(np.asarray(key, np.int64))).all(axis=-1)
    return pixels, np.where(hidden, np.uint8(0), np.uint8(255))


def _why(error: Exception) -> str:
    """What an error says without naming the file once more."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is damaged"
    if "MAX_TEXT_CHUNK" in str(error):
        return (
            "its color profile, or a text in it, has more than the megabyte that is "
            "unpacked; save it as a JPEG, a WebP or a TIFF, or without that"
        )
    return getattr(error, "strerror", None) or first_line(error)
