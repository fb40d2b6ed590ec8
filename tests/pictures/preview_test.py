"""Previews that the metadata of a picture keeps."""

import struct

import pytest

from mspd_jax.pictures import encode_picture, keeps_preview
from mspd_jax.pictures._read import decode_picture
from tests.pictures import samples as s

SMALL = s.saved(s.COLOR, "JPEG")


def exif_with(order, tags, behind=b""):
    """EXIF of two directories, the second, of the preview, with these tags."""
    mark = b"II*\0" if order == "<" else b"MM\0*"

    def directory(tags, following):
        rows = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags]
        head, tail = struct.pack(f"{order}H", len(rows)), struct.pack(f"{order}I", 0)
        return head + b"".join(rows) + (following or tail)

    first = directory([(305, 0)], struct.pack(f"{order}I", 8 + 18))
    start = struct.pack(f"{order}I", 8)
    return b"Exif\0\0" + mark + start + first + directory(tags, b"") + behind


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "tags, behind, found",
    [
        ([(513, 56), (514, len(SMALL))], SMALL, True),
        ([(273, 56)], b"pixels", True),
        ([(259, 1)], b"", False),
    ],
)
def test_the_second_directory_is_the_preview(order, tags, behind, found):
    picture = decode_picture(s.saved(s.COLOR, "PNG"), "x")
    picture = picture._replace(kept={"exif": exif_with(order, tags, behind)})
    assert keeps_preview(picture) is found
    assert not keeps_preview(picture, strip_metadata=True)
    for format in ("png", "jpeg", "webp"):
        assert keeps_preview(picture, format=format) is found
        assert (SMALL in encode_picture(picture, format=format)) is (behind == SMALL)


@pytest.mark.parametrize(
    "kept, format, found",
    [
        ({}, "png", False),
        ({"exif": s.exif(6)}, "png", False),
        ({"exif": b"Exif\0\0II*\0\xff\xff\xff\x7f"}, "png", False),
        ({"exif": b"Exif\0\0"}, "png", False),
        ({"xmp": s.XMP}, "png", False),
        ({"xmp": b"<xmpGImg:image>/9j/</xmpGImg:image>"}, "png", True),
        ({"iptc": (b"Photoshop 3.0\0" + SMALL,)}, "jpeg", True),
        ({"iptc": (b"Photoshop 3.0\0" + SMALL,)}, "png", False),  # not written
    ],
)
def test_other_places_of_previews(kept, format, found):
    picture = decode_picture(s.saved(s.COLOR, "PNG"), "x")._replace(kept=kept)
    assert keeps_preview(picture, format=format) is found
