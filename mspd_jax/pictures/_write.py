"""Writing a picture as it was stored, with what its file held.

PNG and WebP lose nothing. The pixels are turned as the EXIF says that goes with them,
so that where nothing was changed they are those of the file that was read.
"""

import io
import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from mspd_jax import paths
from mspd_jax.errors import InputError, first_line
from mspd_jax.pictures._file import shown
from mspd_jax.pictures._formats import FORMATS, Format, format_of, written
from mspd_jax.pictures._kept import XMP_KEY, XMP_MARK
from mspd_jax.pictures._orientation import orientation_of, stored
from mspd_jax.pictures._picture import Picture
from mspd_jax.runs import write_file

_LONGEST_BLOCK = 65533  # of a JPEG
_JPEG = 95  # the quality of a JPEG of which nobody says another
# Of a PNG that is read again: Pillow unpacks no more of one, for safety.
_LONGEST_PROFILE = PngImagePlugin.MAX_TEXT_CHUNK - 1
_SUFFIXES = {each.suffix: name for name, each in FORMATS.items()} | {".jpeg": "jpeg"}


def encode_picture(
    picture: Picture,
    *,
    format: str = "png",
    quality: int | None = None,
    strip_metadata: bool = False,
) -> bytes:
    """The bytes of a file; InputError where its format cannot hold the picture.

    Args:
      picture: what `read_picture` gave, with other levels of the same type and size.
      format: png, jpeg or webp.
      quality: 1 to 100, of JPEG, whose colors are stored in full (4:4:4), by default
        95; of WebP, which loses nothing by default. PNG has none.
      strip_metadata: leave out all but what says how the levels are meant, such as the
        color profile. Pixels are then stored upright, no tag would turn them.

    Example:
      data = pictures.encode_picture(picture, format="jpeg", quality=90)
    """
    known = format_of(format)
    _check_levels(picture)
    _check_fits(picture, known)
    check_quality(format, quality)
    kept = {
        name: picture.kept[name]
        for name in written(format, strip_metadata)
        if name in picture.kept
    }
    pixels = stored(_joined(picture), orientation_of(kept.get("exif", b"")))
    options = {name: kept[name] for name in kept if name in ("exif", "icc_profile")}
    options |= _OPTIONS[format](kept, quality)
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, format=known.label.upper(), **options)
    except (OSError, ValueError) as error:  # a block that is too long, above all
        raise InputError(
            f"this picture cannot be written as {known.label} ({first_line(error)}); "
            "write PNG, or leave out the metadata"
        ) from error
    return buffer.getvalue()


def write_picture(
    path: str | os.PathLike,
    picture: Picture,
    *,
    format: str | None = None,
    quality: int | None = None,
    strip_metadata: bool = False,
) -> None:
    """Writes a picture, whole or not at all; see `encode_picture`.

    format: None takes it from the suffix of the path.

    Example:
      pictures.write_picture("out/holiday.png", picture)
    """
    suffix = pathlib.PurePath(os.fspath(path)).suffix
    format = format or _SUFFIXES.get(suffix.lower())
    if format is None:
        raise InputError(
            f"{shown(path)}: wanted a name that ends in {', '.join(_SUFFIXES)}"
        )
    data = encode_picture(
        picture, format=format, quality=quality, strip_metadata=strip_metadata
    )
    write_file(paths.as_path(path), data)


def check_quality(format: str, quality: int | None) -> None:
    """InputError for a quality that is none, or that the format has not."""
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"`quality`={quality}: wanted 1 to 100")
    if quality is not None and format == "png":
        raise InputError(
            f"`quality`={quality} goes with `format`=jpeg or webp: PNG keeps all pixels"
        )


def check_writable(
    picture: Picture, *, format: str = "png", strip_metadata: bool = False
) -> None:
    """InputError where `encode_picture` would refuse a picture; costs next to nothing.

    Example:
      pictures.check_writable(picture, format="jpeg")
    """
    _check_fits(picture, format_of(format))
    # Whether all else fits does not depend on how many pixels there are.
    alpha = picture.alpha if picture.alpha is None else picture.alpha[:1, :1]
    corner = picture._replace(levels=picture.levels[:1, :1], alpha=alpha)
    encode_picture(corner, format=format, strip_metadata=strip_metadata)


def _check_levels(picture: Picture) -> None:
    levels, alpha = picture.levels, picture.alpha
    if (
        levels.dtype not in (np.uint8, np.uint16)
        or levels.ndim != 3
        or levels.shape[-1] not in (1, 3)
    ):
        raise ValueError(
            "levels must be uint8 or uint16 [H, W, 1] or [H, W, 3], got "
            f"{levels.dtype} {list(levels.shape)}"
        )
    if alpha is not None and (alpha.dtype, alpha.shape) != (
        levels.dtype,
        levels.shape[:2],
    ):
        raise ValueError(
            f"alpha must be {levels.dtype} {list(levels.shape[:2])} as the levels are, "
            f"got {alpha.dtype} {list(alpha.shape)}"
        )


def _check_fits(picture: Picture, known: Format) -> None:
    """Raises InputError where a format cannot hold the pixels."""
    height, width, channels = picture.levels.shape
    deep = picture.levels.dtype == np.uint16
    if deep and not known.deep:
        raise InputError(
            f"this picture has 16 bits a channel, {known.label} holds 8; write PNG"
        )
    if deep and (channels == 3 or picture.alpha is not None):
        raise InputError(
            "this picture has 16 bits a channel in color or beside alpha, Pillow "
            "writes them in gray alone; give levels of 8 bits"
        )
    if picture.alpha is not None and not known.alpha:
        raise InputError(
            f"this picture has an alpha channel, which {known.label} cannot hold; "
            "write PNG or WebP"
        )
    if known.longest is not None and max(height, width) > known.longest:
        raise InputError(
            f"this picture is {width}x{height}, {known.label} holds {known.longest} "
            "either way; write PNG"
        )


def _joined(picture: Picture) -> np.ndarray:
    """All channels as Pillow takes them: [H, W] for gray alone, else [H, W, 2 to 4]."""
    if picture.alpha is not None:
        return np.concatenate([picture.levels, picture.alpha[..., None]], axis=-1)
    return picture.levels[..., 0] if picture.levels.shape[-1] == 1 else picture.levels


def _png(kept: dict[str, Any], quality: int | None) -> dict[str, Any]:
    profile = len(kept.get("icc_profile", b""))
    if profile > _LONGEST_PROFILE:
        raise InputError(
            f"this picture has a color profile of {profile} bytes, in a PNG one of "
            f"{_LONGEST_PROFILE} can be read again; write JPEG or WebP"
        )
    info = PngImagePlugin.PngInfo()
    for kind, data in (*kept.get("color", ()), *kept.get("text", ())):
        info.add(kind, data)
    if "xmp" in kept:
        info.add_itxt(XMP_KEY, kept["xmp"])
    if "comment" in kept:
        info.add_itxt("Comment", _words(kept["comment"]))
    return {"pnginfo": info, **{n: kept[n] for n in ("dpi",) if n in kept}}


def _words(comment: bytes) -> str:
    """What a JPEG says in some encoding; no text of a PNG has a NUL."""
    try:
        words = comment.decode()
    except UnicodeDecodeError:
        words = comment.decode("latin-1")
    return words.replace("\0", "")


def _jpeg(kept: dict[str, Any], quality: int | None) -> dict[str, Any]:
    # Also versions of Pillow write it so that know nothing of XMP.
    xmp = [(b"\xe1", XMP_MARK + kept["xmp"])] if "xmp" in kept else []
    blocks = [*xmp, *((b"\xed", block) for block in kept.get("iptc", ()))]
    too_long = [len(data) for _, data in blocks if len(data) > _LONGEST_BLOCK]
    if too_long:
        raise InputError(
            f"this picture has metadata in a block of {too_long[0]} bytes, JPEG holds "
            f"{_LONGEST_BLOCK}; write PNG, or leave out the metadata"
        )
    extra = b"".join(
        b"\xff" + mark + (len(data) + 2).to_bytes(2, "big") + data
        for mark, data in blocks
    )
    options: dict[str, Any] = {"quality": quality or _JPEG, "extra": extra}
    options["subsampling"] = 0
    return options | {name: kept[name] for name in ("dpi", "comment") if name in kept}


def _webp(kept: dict[str, Any], quality: int | None) -> dict[str, Any]:
    # Exact: the colors that are hidden by alpha stay, too. Quality is the effort where
    # nothing is lost: more took twice as long for one byte in a thousand.
    whole = {"lossless": True, "method": 2, "quality": 20}
    options = {"exact": True, **(whole if quality is None else {"quality": quality})}
    return options | ({"xmp": kept["xmp"]} if "xmp" in kept else {})


_OPTIONS = {"png": _png, "jpeg": _jpeg, "webp": _webp}
