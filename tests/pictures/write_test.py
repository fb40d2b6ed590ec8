"""What is written is what was read, as it was stored."""

import io
import os

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mspd_jax.errors import InputError
from mspd_jax.pictures import (
    changes,
    check_writable,
    encode_picture,
    read_picture,
    write_picture,
)
from mspd_jax.pictures._read import decode_picture
from tests.pictures import samples as s
from tests.pictures.read_test import READ, STORED

WHOLE = {"exif": s.exif(6), "icc_profile": s.ICC, "xmp": s.XMP, "dpi": (300.0, 200.0)}


def assert_same(found, picture):
    """Equal in all but the mode."""
    np.testing.assert_array_equal(found.levels, picture.levels)
    assert found.levels.dtype == picture.levels.dtype
    assert found.orientation == picture.orientation
    assert (found.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(found.alpha, picture.alpha)
    assert found.kept.keys() == picture.kept.keys()
    for name, value in picture.kept.items():
        if name == "dpi":
            np.testing.assert_allclose(found.kept[name], value, atol=0.02)
        else:
            assert found.kept[name] == value


@pytest.mark.parametrize("kind", READ)
def test_png_gives_every_kind_back(kind):
    picture = decode_picture(READ[kind][0], "x")
    for orientation in (1, 6):
        picture = picture._replace(
            orientation=orientation, kept=WHOLE | {"exif": s.exif(orientation)}
        )
        found = decode_picture(encode_picture(picture), "x")
        assert_same(found, picture)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("before", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("after", ["png", "webp"])
def test_stored_pixels_and_the_tag_are_those_of_before(orientation, before, after):
    options = {"lossless": True} if before == "WEBP" else {}
    color = np.stack([STORED, STORED // 2, STORED // 3], axis=-1)
    content = s.saved(color, before, exif=s.exif(orientation), **options)
    picture = decode_picture(content, "x")
    written = encode_picture(picture, format=after)
    with Image.open(io.BytesIO(written)) as found:
        np.testing.assert_array_equal(np.asarray(found), color)
        assert found.getexif()[0x0112] == orientation
        assert found.getexif().get_ifd(0x8825)[1] == "N"
    if before != "TIFF":  # of a TIFF it is made anew
        assert decode_picture(written, "x").kept == {"exif": s.exif(orientation)}


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_without_metadata_pixels_are_stored_upright(format):
    stored = np.kron(STORED, np.ones((8, 8), np.uint8))
    color = np.stack([stored, stored // 2, stored // 3], axis=-1)
    options = {"exif": s.exif(6), "icc_profile": s.ICC, "dpi": (300, 300)}
    info = s.texts()
    info.add(b"gAMA", (100000).to_bytes(4, "big"))
    picture = decode_picture(s.saved(color, "PNG", pnginfo=info, **options), "x")
    kind = {"format": format, "quality": 100 if format == "jpeg" else None}
    written = encode_picture(picture, strip_metadata=True, **kind)
    with Image.open(io.BytesIO(written)) as found:
        upright = color.swapaxes(0, 1)[:, ::-1]
        np.testing.assert_allclose(
            np.asarray(found).astype(int), upright, atol=4 if format == "jpeg" else 0
        )
        assert not found.getexif() and found.info["icc_profile"] == s.ICC
        assert b"a title" not in written and b"description" not in written
        # Without it the levels would be other colors.
        assert found.info.get("gamma") == (1.0 if format == "png" else None)
    again = decode_picture(written, "x")
    assert again.orientation == 1 and {"exif", "dpi", "text"}.isdisjoint(again.kept)


@pytest.mark.parametrize(
    "format, names",
    [
        ("png", ["exif", "icc_profile", "xmp", "dpi", "text"]),
        ("jpeg", ["exif", "icc_profile", "xmp", "dpi", "comment", "iptc"]),
        ("webp", ["exif", "icc_profile", "xmp"]),
    ],
)
def test_all_that_a_format_can_hold_is_written(format, names):
    kept = WHOLE | {"comment": b"hello", "iptc": (b"Photoshop 3.0\0title",)}
    picture = decode_picture(READ["JPEG"][0], "x")._replace(kept=kept)
    found = decode_picture(encode_picture(picture, format=format), "x")
    assert found.kept.keys() == set(names)
    np.testing.assert_allclose(
        found.kept.get("dpi", kept["dpi"]), kept["dpi"], atol=0.02
    )
    for name in set(names) - {"dpi", "text"}:
        assert found.kept[name] == kept[name]
    # Others find it, too.
    with Image.open(io.BytesIO(encode_picture(picture, format=format))) as image:
        assert image.info.get("xmp", s.XMP) == s.XMP  # if Pillow looks for it
        assert image.info["icc_profile"] == s.ICC
        assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    "comment, words",
    [("sch\u00f6n".encode(), "sch\u00f6n"), (b"sch\xf6n\0", "sch\u00f6n")],
)
def test_the_comment_of_a_jpeg_is_a_text_of_a_png(comment, words):
    picture = decode_picture(READ["JPEG"][0], "x")._replace(kept={"comment": comment})
    assert changes(picture) is None
    with Image.open(io.BytesIO(encode_picture(picture))) as found:
        assert found.text == {"Comment": words}
    stripped = encode_picture(picture, strip_metadata=True)
    with Image.open(io.BytesIO(stripped)) as found:
        assert found.text == {}


def test_texts_and_colors_of_a_png_stay():
    info = s.texts()
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    info.add(b"cHRM", bytes(range(32)))
    late = s.chunk(b"tEXt", b"Late\0behind the pixels")
    content = s.saved(s.COLOR, "PNG", pnginfo=info)
    content = content[:-12] + late + content[-12:]
    written = encode_picture(decode_picture(content, "x"))
    with Image.open(io.BytesIO(content)) as one, Image.open(io.BytesIO(written)) as two:
        assert two.text == one.text and two.text["Late"] == "behind the pixels"
        assert two.text["Comment"].lang == "de"
        for name in ("gamma", "chromaticity"):
            assert two.info[name] == one.info[name]


def test_captions_of_a_tiff_become_those_of_a_jpeg():
    exif = s.exif(tag_34377=b"8BIM\4\4 a caption")
    picture = decode_picture(s.saved(s.COLOR, "TIFF", exif=exif), "x")
    assert picture.kept["iptc"] == (b"Photoshop 3.0\x008BIM\4\4 a caption",)
    found = decode_picture(encode_picture(picture, format="jpeg"), "x")
    assert found.kept["iptc"] == picture.kept["iptc"]


@pytest.mark.parametrize("format", ["png", "webp"])
def test_colors_that_alpha_hides_stay(format):
    alpha = np.zeros((3, 5), np.uint8)
    picture = decode_picture(READ["JPEG"][0], "x")._replace(alpha=alpha)
    found = decode_picture(encode_picture(picture, format=format), "x")
    assert_same(found, picture)


def test_xmp_of_a_png_is_written_once():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", s.XMP)
    picture = decode_picture(s.saved(s.COLOR, "PNG", pnginfo=info), "x")
    assert picture.kept == {"xmp": s.XMP}
    assert encode_picture(picture).count(b"xmpmeta xmlns") == 1


def test_jpeg_keeps_colors_in_full_and_obeys_quality():
    # One red column between blue ones is lost where colors are stored at half size.
    color = np.full((16, 16, 3), (0, 0, 255), np.uint8)
    color[:, 1::2] = 255, 0, 0
    picture = decode_picture(s.saved(color, "PNG"), "x")
    good = encode_picture(picture, format="jpeg", quality=100)
    np.testing.assert_allclose(s.pixels_of(good).astype(int), color, atol=4)
    assert len(encode_picture(picture, format="jpeg", quality=30)) < len(good)
    with Image.open(io.BytesIO(good)) as found:
        assert [each[1:3] for each in found.layer] == [(1, 1)] * 3


def test_webp_loses_nothing_unless_it_is_told_a_quality():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    picture = decode_picture(s.saved(noise, "PNG"), "x")
    whole = encode_picture(picture, format="webp")
    np.testing.assert_array_equal(s.pixels_of(whole), noise)
    sizes = [len(encode_picture(picture, format="webp", quality=q)) for q in (30, 90)]
    assert sizes[0] < sizes[1] < len(whole)


def test_levels_that_were_changed_are_written():
    picture = decode_picture(READ["16-bit PNG"][0], "x")
    levels = picture.levels ^ 1
    found = decode_picture(encode_picture(picture._replace(levels=levels)), "x")
    np.testing.assert_array_equal(found.levels, levels)


@pytest.mark.parametrize(
    "kind, options, reason",
    [
        ("RGB with alpha", {"format": "jpeg"}, "alpha channel, which JPEG cannot hold"),
        ("palette, one transparent", {"format": "jpeg"}, "alpha channel"),
        ("16-bit PNG", {"format": "jpeg"}, "16 bits a channel, JPEG holds 8"),
        ("16-bit PNG", {"format": "webp"}, "16 bits a channel, WebP holds 8"),
        ("JPEG", {"format": "gif"}, "`format`='gif': wanted one of png, jpeg, webp"),
        ("JPEG", {"format": "jpeg", "quality": 0}, "`quality`=0: wanted 1 to 100"),
        ("JPEG", {"quality": 9}, "`quality`=9 goes with `format`=jpeg or webp"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(kind, options, reason):
    picture = decode_picture(READ[kind][0], "x")
    with pytest.raises(InputError, match=reason) as told:
        encode_picture(picture, **options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["exif", "xmp", "comment"])
def test_metadata_that_is_too_long_for_jpeg_is_refused(name):
    picture = decode_picture(READ["JPEG"][0], "x")
    picture = picture._replace(kept={name: s.exif() + bytes(70000)})
    encode_picture(picture)
    with pytest.raises(InputError, match=r"JPEG.*; write PNG, or leave out") as told:
        encode_picture(picture, format="jpeg")
    assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="JPEG.*; write PNG, or leave out"):
        check_writable(picture, format="jpeg")
    encode_picture(picture, format="jpeg", strip_metadata=True)
    check_writable(picture, format="jpeg", strip_metadata=True)


def test_a_picture_that_is_too_wide_for_webp_is_refused():
    picture = decode_picture(s.saved(np.zeros((1, 16384), np.uint8), "PNG"), "x")
    with pytest.raises(InputError, match="is 16384x1, WebP holds 16383 either way"):
        encode_picture(picture, format="webp")
    with pytest.raises(InputError, match="is 16384x1, WebP holds 16383 either way"):
        check_writable(picture, format="webp")
    check_writable(picture)


@pytest.mark.parametrize(
    "change",
    [
        {"levels": s.COLOR / np.float32(255)},
        {"levels": s.GRAY},
        {"levels": np.zeros((3, 5, 2), np.uint8)},
        {"alpha": s.ALPHA[:2]},
        {"alpha": s.ALPHA.astype(np.uint16)},
    ],
)
def test_other_arrays_are_refused(change):
    picture = decode_picture(READ["JPEG"][0], "x")._replace(**change)
    with pytest.raises(ValueError, match="must be uint8") as told:
        encode_picture(picture)
    assert not isinstance(told.value, InputError)


def test_color_of_16_bits_is_refused():
    levels = np.zeros((3, 5, 3), np.uint16)
    picture = decode_picture(READ["JPEG"][0], "x")._replace(levels=levels)
    with pytest.raises(InputError, match="16 bits a channel in color"):
        encode_picture(picture)


@pytest.mark.parametrize("name", ["x.png", "x.JPG", "x.jpeg", "x.webp"])
def test_a_file_is_of_the_kind_that_its_name_says(tmp_path, name):
    path = tmp_path / "deep" / "er" / name
    write_picture(path, decode_picture(READ["JPEG"][0], "x"))
    with Image.open(path) as found:
        kind = {"png": "PNG", "webp": "WEBP"}.get(name[2:], "JPEG")
        assert found.format == kind
    assert os.listdir(path.parent) == [name]
    assert read_picture(path).levels.shape == (3, 5, 3)


def test_a_name_that_says_no_kind_is_refused(tmp_path):
    picture = decode_picture(READ["JPEG"][0], "x")
    with pytest.raises(InputError, match=r"x\.gif: wanted a name that ends in \.png"):
        write_picture(tmp_path / "x.gif", picture)
    write_picture(tmp_path / "x.gif", picture, format="png")
    assert read_picture(tmp_path / "x.gif").levels.shape == (3, 5, 3)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(b"before")
    with pytest.raises(InputError):
        write_picture(path, decode_picture(READ["RGB with alpha"][0], "x"))
    assert path.read_bytes() == b"before" and os.listdir(tmp_path) == ["x.jpg"]


def test_a_store_is_written_into(bucket):
    picture = decode_picture(READ["JPEG"][0], "x")
    write_picture("s3://b/out/x.png", picture)
    np.testing.assert_array_equal(
        read_picture("s3://b/out/x.png").levels, picture.levels
    )
