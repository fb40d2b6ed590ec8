"""What a file does not hold as it was, in one line."""

import pytest

from mspd_jax.pictures import changes
from mspd_jax.pictures._read import decode_picture
from tests.pictures import samples as s
from tests.pictures.read_test import READ

TOLD = {
    "palette": "palette became RGB",
    "palette, one transparent": "palette became RGBA",
    "palette, some transparent": "palette became RGBA",
    "GIF": "palette became RGB",
    "BMP, palette": "palette became RGB",
    "1 bit": "1 bit became gray of 8 bits",
    "1 bit, TIFF": "1 bit became gray of 8 bits",
    "transparent color": "a transparent color became RGB with alpha",
    "transparent gray": "a transparent color became gray with alpha",
    "transparent gray of 2 bits": "a transparent color became gray with alpha",
    "transparent white of 1 bit": "1 bit became gray of 8 bits; "
    "a transparent color became gray with alpha",
}


@pytest.mark.parametrize("kind", READ)
def test_png_changes_these_alone(kind):
    picture = decode_picture(READ[kind][0], "x")._replace(kept={})
    assert changes(picture) == TOLD.get(kind)


def test_what_a_format_cannot_hold_is_told():
    options = {"dpi": (300, 300), "pnginfo": s.texts(), "icc_profile": s.ICC}
    picture = decode_picture(s.saved(s.GRAY, "PNG", **options), "x")
    assert changes(picture) is None
    assert changes(picture, format="jpeg") == "left out: the texts"
    assert changes(picture, format="webp") == (
        "gray became RGB, WebP knows no gray; left out: the resolution, the texts"
    )
    stripped = changes(picture, strip_metadata=True)
    assert stripped == "left out: the resolution, the texts"


def test_what_cameras_hide_behind_a_picture_is_told():
    picture = decode_picture(READ["MPO"][0], "x")
    for format in ("png", "jpeg"):
        told = changes(picture, format=format)
        assert (
            told == "left out: what stands behind the picture (a preview, a gain map)"
        )
