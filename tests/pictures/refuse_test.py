"""What is not whole, or could not be kept whole, is refused in one line."""

import os

import numpy as np
import pytest
from PIL import Image, ImageFile

from mspd_jax.errors import InputError
from mspd_jax.pictures import _read, read_picture
from tests.pictures import samples as s

FLOATS = Image.fromarray(s.GRAY / np.float32(255))
ENDLESS = s.chunk(b"zTXt", b"k\0\0" + s.zlib.compress(b"x" * 2**21))

REFUSED = {
    "RGB of 16 bits": (s.deep_color(2), "16 bits a channel in color"),
    "RGBA of 16 bits": (s.deep_color(6), "16 bits a channel in color"),
    "gray with alpha of 16 bits": (s.deep_color(4), "16 bits a channel in color"),
    "16 bits, a transparent level": (
        s.saved(s.DEEP, "PNG", transparency=7),
        "16 bits and a transparent color",
    ),
    "TIFF of 12 bits": (s.tiff(bytes(24), (12,)), "levels of 12 bits"),
    "16-bit TIFF, white is zero": (
        s.tiff(bytes(30), (16,), 0),
        "levels of 16 bits in a way",
    ),
    "TIFF of RGB of 16 bits": (s.tiff(bytes(90), (16,) * 3, 2), "16 bits a channel"),
    "the same in planes": (s.tiff(bytes(90), (16,) * 3, 2, tag_284=2), "16 bits a"),
    "the same, packed": (s.tiff(bytes(90), (16,) * 3, 2, packed=True), "16 bits a"),
    "PGM of 10 bits": (s.portable("P5", 1023, s.DEEP % 1024), "levels from 0 to 1023"),
    "PPM of 16 bits": (
        s.portable("P6", 65535, s.COLOR),
        "16 bits a channel|levels from 0 to 65535",
    ),
    "PGM of 100 levels": (s.portable("P5", 100, s.GRAY % 101), "levels from 0 to 100"),
    "CMYK JPEG": (s.saved(s.rgb("CMYK"), "JPEG"), "holds inks"),
    "CMYK TIFF": (s.saved(s.rgb("CMYK"), "TIFF"), "holds inks"),
    "LAB": (s.saved(Image.new("LAB", (5, 3)), "TIFF"), "holds LAB"),
    "YCbCr": (s.saved(s.rgb("YCbCr"), "TIFF"), "holds YCbCr|cannot be read"),
    "floats": (s.saved(FLOATS, "TIFF"), "holds floating-point"),
    "PFM": (s.saved(FLOATS, "PPM"), "no picture of a kind"),
    "32 bits": (
        s.saved(Image.fromarray(s.GRAY.astype(np.int32)), "TIFF"),
        "holds 32-bit",
    ),
    "signed": (s.tiff(bytes(15), (8,), tag_339=2), "holds signed"),
    "premultiplied": (
        s.tiff(bytes(60), (8,) * 4, 2, tag_338=1),
        "multiplied into its colors",
    ),
    "a channel of no meaning": (
        s.tiff(bytes(60), (8,) * 4, 2, tag_338=0),
        "extra channel of no meaning|not known .RGBX",
    ),
    "raw photograph": (s.tiff(bytes(15), (8,), tag_50706=260), "is a raw photograph"),
    "preview first": (s.tiff(bytes(15), (8,), tag_254=1), "begins with a preview"),
    "GIF, animated": (s.frames("GIF"), "several frames"),
    "APNG": (s.frames("PNG"), "several frames"),
    "APNG with a still": (s.frames("PNG", default_image=True), "several frames"),
    "WebP, animated": (s.frames("WEBP", lossless=True), "several frames"),
    "TIFF of two pages": (s.frames("TIFF"), "several pages"),
    "0 bytes": (b"", "is empty"),
    "text": (b"no picture", "no picture of a kind"),
    "PDF": (b"%PDF-1.7\n", "no picture of a kind"),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 3\n",
        "no picture of a kind",
    ),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture of a kind"),
    "bomb": (s.bomb(), "178 megapixels"),
    "text that unpacks without end": (
        s.png(1, 1, 8, 0, b"\0\0", before=ENDLESS),
        "cannot be read",
    ),
}
CUT = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF") + ("AVIF",) * s.AVIF
NOISE = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
for _kind in CUT:
    _image = Image.fromarray(NOISE).convert("P" if _kind == "GIF" else "RGB")
    _whole = s.saved(_image, _kind)
    REFUSED[f"{_kind}, cut"] = (_whole[: len(_whole) * 2 // 3], "cannot be read")
    REFUSED[f"{_kind}, 20 bytes"] = (_whole[:20], "cannot be read")
if s.AVIF:
    REFUSED["AVIF, animated"] = (s.frames("AVIF"), "several frames")
REFUSED["PNG, another byte"] = (
    (lambda c: c[:-200] + bytes([c[-200] ^ 255]) + c[-199:])(s.saved(NOISE, "PNG")),
    "cannot be read",
)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_whole_is_refused_in_one_line(tmp_path, kind):
    content, reason = REFUSED[kind]
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"^the picture .*x\.png .*({reason})"
    ) as told:
        read_picture(path)
    assert "\n" not in str(told.value) and len(str(told.value)) < 300
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_more_pixels_than_are_read_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_read, "MOST_PIXELS", 14)
    path = tmp_path / "x.png"
    path.write_bytes(s.saved(s.COLOR, "PNG"))
    with pytest.raises(InputError, match="has 5x3 pixels, more than"):
        read_picture(path)


def test_what_says_to_be_larger_than_it_is_takes_no_memory(tmp_path):
    # TIFF of 300 megapixels in a file of 200 bytes.
    content = s.tiff(s.GRAY.tobytes(), (8,), tag_256=20000, tag_257=15000)
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    with pytest.raises(InputError, match="megapixels"):
        read_picture(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    path.write_bytes(s.saved(s.COLOR, "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # the super-user reads everything

        def deny(*_):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "open", deny)
    with pytest.raises(InputError, match=r"x\.png cannot be read \(Permission denied"):
        read_picture(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: None])
def test_what_is_no_file_is_never_opened(tmp_path, make):
    make(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"x\.png cannot be read") as told:
        read_picture(tmp_path / "x.png")
    assert "\n" not in str(told.value)


def test_a_device_is_never_opened(monkeypatch):
    monkeypatch.setattr("builtins.open", None)
    with pytest.raises(InputError, match="/dev/zero cannot be read .it is a device"):
        read_picture("/dev/zero")


def test_no_other_reader_ever_sees_a_file(tmp_path, monkeypatch):
    # Pillow has Ghostscript run what begins like this, whatever its name.
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 3\nshowpage\n")
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(InputError, match="no picture of a kind"):
        read_picture(path)


def test_pillow_is_asked_for_one_kind_alone(tmp_path, monkeypatch):
    asked, opened = [], Image.open

    def noting(stream, formats=None):
        asked.append(formats)
        return opened(stream, formats=formats)

    monkeypatch.setattr(Image, "open", noting)
    path = tmp_path / "x.jpg"
    path.write_bytes(s.saved(s.COLOR, "PNG"))
    read_picture(path)
    path.write_bytes(b"BM" + bytes(12) + b"\x28" + bytes(60))  # begins as a BMP does
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(path)
    assert asked == [["PNG"], ["BMP"]]
