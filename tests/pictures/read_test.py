"""Pictures of every kind: what comes out, and what is refused in one line."""

import numpy as np
import pytest
from PIL import Image

from mspd_jax.errors import InputError
from mspd_jax.pictures import read_picture
from mspd_jax.pictures._read import picture_shape
from tests.pictures import samples as s

STORED = np.arange(1, 16, dtype=np.uint8).reshape(3, 5) * 16
# What EXIF says of the stored rows and columns (EXIF 2.3, 4.6.4).
UPRIGHT = {
    1: STORED,
    2: STORED[:, ::-1],
    3: STORED[::-1, ::-1],
    4: STORED[::-1],
    5: STORED.T,
    6: STORED.T[:, ::-1],
    7: STORED.T[::-1, ::-1],
    8: STORED.T[::-1],
}
JPEG = s.saved(s.COLOR, "JPEG", quality=95)
BIG, LITTLE = s.DEEP.astype(">u2").tobytes(), s.DEEP.astype("<u2").tobytes()
PLACE = np.arange(15).reshape(3, 5)
KEY = tuple(int(level) for level in s.COLOR[1, 2])
STEPS = np.array([[0, 85, 170, 255]])  # the levels of two bits
# Content, mode, levels, and alpha where there is one.
READ = {
    "portrait": (s.saved(s.COLOR, "PNG"), "RGB", s.COLOR),
    "landscape": (
        s.saved(s.COLOR.swapaxes(0, 1), "PNG"),
        "RGB",
        s.COLOR.swapaxes(0, 1),
    ),
    "1x1": (s.saved(s.COLOR[:1, :1], "PNG"), "RGB", s.COLOR[:1, :1]),
    "3x5000": (
        s.saved(np.tile(s.COLOR, (1, 1000, 1)), "PNG"),
        "RGB",
        np.tile(s.COLOR, (1, 1000, 1)),
    ),
    "gray PNG": (s.saved(s.GRAY, "PNG"), "L", s.GRAY),
    "gray JPEG": (
        s.saved(np.full((8, 8), 77, np.uint8), "JPEG", quality=100),
        "L",
        np.full((8, 8), 77),
    ),
    "gray of 2 bits": (s.png(4, 1, 2, 0, b"\0\x1b"), "L", STEPS),
    "JPEG": (JPEG, "RGB", s.pixels_of(JPEG)),
    "MPO": (s.frames("MPO", quality=95), "RGB", s.pixels_of(JPEG)),
    "WebP": (s.saved(s.COLOR, "WEBP", lossless=True), "RGB", s.COLOR),
    "WebP with alpha": (
        s.saved(s.with_alpha(s.COLOR), "WEBP", lossless=True, exact=True),
        "RGBA",
        s.COLOR,
        s.ALPHA,
    ),
    "TIFF": (s.saved(s.COLOR, "TIFF"), "RGB", s.COLOR),
    "TIFF, LZW": (s.saved(s.COLOR, "TIFF", compression="tiff_lzw"), "RGB", s.COLOR),
    "TIFF with alpha": (
        s.saved(s.with_alpha(s.COLOR), "TIFF"),
        "RGBA",
        s.COLOR,
        s.ALPHA,
    ),
    "BMP": (s.saved(s.COLOR, "BMP"), "RGB", s.COLOR),
    "BMP, palette": (
        s.saved(s.rgb("P"), "BMP"),
        "P",
        np.asarray(s.rgb("P").convert("RGB")),
    ),
    "PPM": (s.saved(s.COLOR, "PPM"), "RGB", s.COLOR),
    "PGM of 15 levels": (s.portable("P5", 15, s.GRAY // 17), "L", s.GRAY // 17 * 17),
    "PGM of 16 bits": (s.portable("P5", 65535, s.DEEP), "I", s.DEEP),
    "GIF": (s.saved(s.rgb("P"), "GIF"), "P", np.asarray(s.rgb("P").convert("RGB"))),
    "16-bit PNG": (s.saved(s.DEEP, "PNG"), "I;16", s.DEEP),
    "16-bit TIFF": (s.saved(s.DEEP, "TIFF"), "I;16", s.DEEP),
    "16-bit TIFF, LZW": (
        s.saved(s.DEEP, "TIFF", compression="tiff_lzw"),
        "I;16",
        s.DEEP,
    ),
    "16-bit TIFF, big-endian": (s.tiff(BIG, (16,), order="MM"), "I;16B", s.DEEP),
    "16-bit TIFF, big-endian, packed": (
        s.tiff(BIG, (16,), order="MM", packed=True),
        "I;16B",
        s.DEEP,
    ),
    "16-bit TIFF, packed": (s.tiff(LITTLE, (16,), packed=True), "I;16", s.DEEP),
    "TIFF, white is zero": (s.tiff(s.GRAY.tobytes(), (8,), 0), "L", 255 - s.GRAY),
    "1 bit": (s.saved(Image.fromarray(s.GRAY > 99), "PNG"), "1", (s.GRAY > 99) * 255),
    "1 bit, TIFF": (
        s.saved(Image.fromarray(s.GRAY > 99), "TIFF"),
        "1",
        (s.GRAY > 99) * 255,
    ),
    "gray with alpha": (s.saved(s.with_alpha(s.GRAY), "PNG"), "LA", s.GRAY, s.ALPHA),
    "RGB with alpha": (s.saved(s.with_alpha(s.COLOR), "PNG"), "RGBA", s.COLOR, s.ALPHA),
    "palette": (s.palette(), "P", s.COLOR),
    "palette, one transparent": (
        s.palette(transparency=3),
        "P",
        s.COLOR,
        np.where(PLACE == 3, 0, 255),
    ),
    "palette, some transparent": (
        s.palette(transparency=bytes(range(15))),
        "P",
        s.COLOR,
        PLACE,
    ),
    "transparent color": (
        s.saved(s.COLOR, "PNG", transparency=KEY),
        "RGB",
        s.COLOR,
        np.where(PLACE == 7, 0, 255),
    ),
    "transparent gray": (
        s.saved(s.GRAY, "PNG", transparency=int(s.GRAY[1, 2])),
        "L",
        s.GRAY,
        np.where(s.GRAY == s.GRAY[1, 2], 0, 255),
    ),
    "transparent gray of 2 bits": (
        s.png(4, 1, 2, 0, b"\0\x1b", before=s.chunk(b"tRNS", b"\0\2")),
        "L",
        STEPS,
        np.array([[255, 255, 0, 255]]),
    ),
    "transparent white of 1 bit": (
        s.png(4, 1, 1, 0, b"\0\x50", before=s.chunk(b"tRNS", b"\0\1")),
        "1",
        np.array([[0, 255, 0, 255]]),
        np.array([[255, 0, 255, 0]]),
    ),
}
if s.AVIF:
    FLAT = np.full((8, 8, 3), 77, np.uint8)
    READ["AVIF"] = (s.saved(FLAT, "AVIF", quality=100), "RGB", FLAT)


@pytest.mark.parametrize("kind", READ)
def test_a_kind_is_read_whole(tmp_path, kind):
    content, mode, levels, *alpha = READ[kind]
    levels = np.asarray(levels)
    levels = levels if levels.ndim == 3 else levels[..., None]
    # No name helps, and none misleads.
    for name in ("x", "x.jpg", "x.png", "x.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        found = read_picture(path)
        assert found.mode == mode and found.orientation == 1
        deep = levels.max() > 255
        assert found.levels.dtype == (np.uint16 if deep else np.uint8)
        np.testing.assert_array_equal(found.levels, levels)
        assert (found.alpha is None) == (not alpha)
        if alpha:
            assert found.alpha.dtype == found.levels.dtype
            np.testing.assert_array_equal(found.alpha, alpha[0])
        assert picture_shape(path, path) == levels.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "kind, options",
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("packed TIFF", {}),
        ("WEBP", {"lossless": True}),
        ("JPEG", {"quality": 100}),
    ],
)
def test_what_is_stored_turned_comes_out_upright(tmp_path, orientation, kind, options):
    stored = STORED if kind != "JPEG" else np.kron(STORED, np.ones((8, 8), np.uint8))
    upright = UPRIGHT[orientation]
    path = tmp_path / "x"
    if kind == "packed TIFF":
        content = s.tiff(stored.tobytes(), (8,), packed=True, tag_274=orientation)
    else:
        content = s.saved(stored, kind, exif=s.exif(orientation), **options)
    path.write_bytes(content)
    found = read_picture(path)
    assert found.orientation == orientation
    assert picture_shape(path, path) == found.levels.shape
    levels = found.levels[..., 0]
    if kind == "JPEG":
        upright = np.kron(upright, np.ones((8, 8), np.uint8))
    np.testing.assert_allclose(levels.astype(int), upright, atol=1)


def test_alpha_is_turned_with_the_levels(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(s.saved(s.with_alpha(s.COLOR), "PNG", exif=s.exif(6)))
    found = read_picture(path)
    np.testing.assert_array_equal(found.alpha, s.ALPHA.T[:, ::-1])
    np.testing.assert_array_equal(found.levels, s.COLOR.swapaxes(0, 1)[:, ::-1])


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, value):
    path = tmp_path / "x.jpg"
    path.write_bytes(s.saved(s.COLOR, "JPEG", exif=s.exif(value)))
    assert read_picture(path).orientation == 1
    assert picture_shape(path, path) == (3, 5, 3)


def test_exif_that_is_damaged_is_kept_as_it_is(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(s.saved(s.COLOR, "JPEG", exif=b"Exif\0\0MM\0*\0\0\1"))
    assert read_picture(path).kept["exif"] == b"Exif\0\0MM\0*\0\0\1"


def test_exif_behind_the_pixels_of_a_png_turns_it(tmp_path):
    exif = s.chunk(b"eXIf", s.exif(6).removeprefix(b"Exif\0\0"))
    path = tmp_path / "x.png"
    path.write_bytes(s.png(2, 1, 8, 0, b"\0\1\2", after=exif))
    assert read_picture(path).levels.tolist() == [[[1]], [[2]]]
    assert picture_shape(path, path) == (2, 1, 1)


def test_exif_as_imagemagick_wrote_it_turns_a_png(tmp_path):
    exif = s.exif(6)
    text = f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()
    chunk = s.chunk(b"tEXt", b"Raw profile type exif\0" + text)
    path = tmp_path / "x.png"
    path.write_bytes(s.png(2, 1, 8, 0, b"\0\1\2", before=chunk))
    found = read_picture(path)
    assert found.orientation == 6 and found.levels.shape == (2, 1, 1)
    assert found.kept == {"exif": exif}  # and no text that says so once more


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_all_that_a_file_holds_is_kept(tmp_path, kind):
    options = {"exif": s.exif(1), "icc_profile": s.ICC, "dpi": (300, 300)}
    if kind == "JPEG":
        block = b"http://ns.adobe.com/xap/1.0/\0" + s.XMP
        mark = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big")
        options |= {"extra": mark + block, "comment": b"hello"}
    if kind == "TIFF":
        options["exif"] = s.exif(1, tag_700=s.XMP)
    path = tmp_path / "x"
    path.write_bytes(s.saved(s.COLOR, kind, **options))
    kept = read_picture(path).kept
    assert kept["icc_profile"] == s.ICC  # which no one could apply
    found = Image.Exif()
    found.load(kept["exif"])
    assert found[0x010E] == "a description"
    assert found.get_ifd(0x8769)[0x9003] == "2024:01:31 12:34:56"
    assert found.get_ifd(0x8825)[1] == "N"
    np.testing.assert_allclose(kept["dpi"], 300, atol=0.01)
    assert kept.get("xmp") == (None if kind == "PNG" else s.XMP)
    assert kept.get("comment") == (b"hello" if kind == "JPEG" else None)
    assert 273 not in found  # where the pixels of a TIFF lie is no EXIF


def test_a_resolution_that_pillow_made_up_is_not_kept(tmp_path):
    for kind in ("JPEG", "TIFF", "PNG", "BMP"):
        path = tmp_path / kind
        path.write_bytes(s.saved(s.COLOR, kind))
        assert kind == "BMP" or read_picture(path).kept == {}
    path.write_bytes(s.saved(s.COLOR, "JPEG", exif=s.exif()))
    assert read_picture(path).kept.keys() == {"exif"}


def test_a_store_gives_what_the_disk_gives(bucket, tmp_path):
    from mspd_jax import paths, runs

    place = paths.as_path("s3://b/x.jpg")
    runs.write_file(place, JPEG)
    np.testing.assert_array_equal(read_picture(place).levels, s.pixels_of(JPEG))
    with pytest.raises(InputError, match="y.jpg cannot be read"):
        read_picture("s3://b/y.jpg")


def test_jpeg_of_several_profiles_is_one(tmp_path):
    profile = bytes(range(256)) * 600  # three blocks of a JPEG
    path = tmp_path / "x.jpg"
    path.write_bytes(s.saved(s.COLOR, "JPEG", icc_profile=profile))
    assert read_picture(path).kept["icc_profile"] == profile
