"""What a file holds beside its pixels, from a picture that is opened, not yet loaded.

Loading a TIFF turns it upright, and takes the orientation out of its tags and its XMP.
"""

import math
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin, TiffImagePlugin

XMP_KEY = b"XML:com.adobe.xmp"  # before that of a PNG
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"  # and of a JPEG
_XMP_START = XMP_KEY + b"\0\0\0"  # no compression, as the standard of XMP has it
EXIF_START = b"Exif\0\0"
_RAW_EXIF = "Raw profile type exif"  # how ImageMagick wrote EXIF before PNG knew it
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_COLOR = (b"cHRM", b"cICP", b"gAMA", b"sRGB")
# Tags of a TIFF that EXIF knows, too: all others say how its pixels lie in the file.
_DESCRIPTIVE = frozenset(
    (269, 270, 271, 272, 274, 282, 283, 285, 296, 305, 306, 315, 316, 33432)
)
_IFDS = (0x8769, 0x8825)  # EXIF proper, and where the picture was taken
_RESOLUTION, _XMP, _PHOTOSHOP = 282, 700, 34377
_IPTC_MARK = b"Photoshop 3.0\0"  # a JPEG has it before what a TIFF holds as a tag


def kept_of(image: Image.Image) -> dict[str, Any]:
    """All that is kept of a file but its pixels; see `Picture.kept`."""
    found = {"icc_profile": image.info.get("icc_profile"), "xmp": _xmp(image)}
    # A text of a PNG may bear these names, too.
    kept: dict[str, Any] = {
        name: value for name, value in found.items() if value and type(value) is bytes
    }
    chunks = _chunks(image)
    exif = _exif(image, chunks)
    if exif:
        kept["exif"] = exif
    dpi = _dpi(image)
    if dpi is not None:
        kept["dpi"] = dpi
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        kept |= _of_jpeg(image)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        block = image.tag_v2.get(_PHOTOSHOP)
        kept |= {"iptc": (_IPTC_MARK + block,)} if isinstance(block, bytes) else {}
    kept |= _of_png(chunks, "exif" in kept)
    return kept


def exif_of(image: Image.Image) -> bytes:
    """The EXIF of a picture with the start that JPEG gives it; empty where none is."""
    return _exif(image, _chunks(image))


def _xmp(image: Image.Image) -> bytes | None:
    # Older versions of Pillow do not look for it.
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        blocks = [data for name, data in image.applist if name == "APP1"]
        found = [data for data in blocks if data.startswith(XMP_MARK)]
        return found[-1].removeprefix(XMP_MARK) if found else None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        value = image.tag_v2.get(_XMP)
        return bytes(value) if isinstance(value, tuple) else value
    return image.info.get("xmp")


def _exif(image: Image.Image, chunks: list[tuple[bytes, bytes]]) -> bytes:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tiff_exif(image)
    # Those of a PNG may follow its pixels, where Pillow has not looked yet.
    exif = dict(chunks).get(b"eXIf") or image.info.get("exif")
    if not exif and isinstance(image.info.get(_RAW_EXIF), str):
        exif = _from_hex(image.info[_RAW_EXIF])
    if not isinstance(exif, bytes) or not exif:
        return b""
    return EXIF_START + exif.removeprefix(EXIF_START)


def _tiff_exif(image: TiffImagePlugin.TiffImageFile) -> bytes:
    found, exif = image.getexif(), Image.Exif()
    for tag in _DESCRIPTIVE & set(found):
        exif[tag] = found[tag]
    for tag in _IFDS:
        inner = found.get_ifd(tag)
        if inner:
            exif[tag] = dict(inner)
    return exif.tobytes() if len(exif) else b""


def _from_hex(text: str) -> bytes:
    # Its kind and its length stand in the first lines.
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
        return None  # Pillow then says 72, or what EXIF says, which is kept anyway
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        if _RESOLUTION not in image.tag_v2:
            return None
    try:
        across, down = (float(number) for number in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sound = all(math.isfinite(n) and 0 < n <= 65535 for n in (across, down))
    return (across, down) if sound else None


def _of_jpeg(image: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if isinstance(image.info.get("comment"), bytes) and image.info["comment"]:
        kept["comment"] = image.info["comment"]
    blocks = tuple(
        data
        for name, data in image.applist
        if name == "APP13" and data.startswith(_IPTC_MARK)
    )
    behind = getattr(image, "n_frames", 1) - 1  # of an MPO
    kept |= {"behind": behind} if behind else {}
    return kept | ({"iptc": blocks} if blocks else {})


def _of_png(chunks: list[tuple[bytes, bytes]], has_exif: bool) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for kind, data in chunks:
        if kind == b"iTXt" and data.startswith(_XMP_START):
            # A language and the key once more, translated, stand before the value.
            *_, xmp = data.removeprefix(_XMP_START).split(b"\0", 2)
            kept["xmp"] = xmp
        elif kind in _TEXT and not (has_exif and data.startswith(_RAW_EXIF.encode())):
            kept.setdefault("text", []).append((kind, data))
        elif kind in _COLOR:
            kept.setdefault("color", []).append((kind, data))
    return {name: v if name == "xmp" else tuple(v) for name, v in kept.items()}


def _chunks(image: Image.Image) -> list[tuple[bytes, bytes]]:
    """Of a PNG, the chunks that are kept, wherever they stand in the file."""
    stream: BinaryIO | None = getattr(image, "fp", None)
    if image.format != "PNG" or stream is None:
        return []
    place, found, kind = stream.tell(), [], b""
    stream.seek(8)
    while kind != b"IEND" and len(head := stream.read(8)) == 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (*_TEXT, *_COLOR, b"eXIf"):
            found.append((kind, stream.read(size)))
            size = 0
        stream.seek(size + 4, 1)  # a check sum follows
    stream.seek(place)
    return found
