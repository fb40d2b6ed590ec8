"""Small previews inside of metadata, which show a picture as it was."""

import struct

from mspd_jax.pictures._formats import written
from mspd_jax.pictures._kept import EXIF_START
from mspd_jax.pictures._picture import Picture

_JPEG = b"\xff\xd8\xff"
_JPEG_IN_XMP = b"GImg:image"  # Adobe's name for a preview in base 64
_STRIPS = 273  # where the pixels of a preview lie that is no JPEG


def keeps_preview(
    picture: Picture, *, format: str = "png", strip_metadata: bool = False
) -> bool:
    """Whether a file of this format will hold a preview that the original has.

    Example:
      pictures.keeps_preview(picture)
    """
    kept = {
        name: picture.kept[name]
        for name in written(format, strip_metadata)
        if name in picture.kept
    }
    exif = kept.get("exif", b"")
    # Makers have places of their own for previews, which are JPEG all the same.
    blocks = (exif, *kept.get("iptc", ()))
    return (
        any(_JPEG in block for block in blocks)
        or _JPEG_IN_XMP in kept.get("xmp", b"")
        or _has_strips(exif.removeprefix(EXIF_START))
    )


def _has_strips(tiff: bytes) -> bool:
    """Whether the second directory of EXIF, that of the preview, has pixels."""
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        (second,) = struct.unpack_from(f"{order}I", tiff, first + 2 + 12 * count)
        (count,) = struct.unpack_from(f"{order}H", tiff, second)
        tags = [
            struct.unpack_from(f"{order}H", tiff, second + 2 + 12 * number)[0]
            for number in range(count)
        ]
    except struct.error:  # there is none, or it is damaged
        return False
    return second != 0 and _STRIPS in tags
