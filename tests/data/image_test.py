"""Image files as Pillow users, cameras and scanners write them, and as we do."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from mspd_jax.data._image import (
    encode_png,
    header_shape,
    read_image,
    write_png,
)
from mspd_jax.errors import InputError

LEVELS = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)


def save(tmp_path, image, name="x.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    "mode, channels",
    [("L", 1), ("1", 1), ("RGB", 3), ("P", 3)],
)
def test_mode_gives_channels_and_the_header_agrees(tmp_path, mode, channels):
    path = save(tmp_path, Image.fromarray(LEVELS).convert(mode))
    image = read_image(path)
    assert image.shape == (3, 5, channels) == header_shape(path, path)
    assert image.dtype == np.float32
    if mode == "L":
        want = np.asarray(Image.fromarray(LEVELS).convert("L"))[..., None] / 255
        np.testing.assert_allclose(image, want, atol=1e-7)
    if mode == "RGB":
        np.testing.assert_allclose(image, LEVELS / 255, atol=1e-7)


def test_cmyk_jpeg_is_read_as_rgb(tmp_path):
    path = save(tmp_path, Image.new("CMYK", (5, 3), (0, 255, 255, 0)), "x.jpg")
    image = read_image(path)
    assert image.shape == (3, 5, 3) == header_shape(path, path)
    np.testing.assert_allclose(image[0, 0], [1, 0, 0], atol=0.03)  # red ink


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_orientation_is_applied(tmp_path, orientation, name):
    # What each EXIF orientation says of the stored rows and columns (EXIF 2.3, 4.6.4).
    stored = LEVELS
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored.transpose(1, 0, 2)[:, ::-1],
        7: stored.transpose(1, 0, 2)[::-1, ::-1],
        8: stored.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, Image.fromarray(stored), name, exif=exif)
    np.testing.assert_allclose(read_image(path), upright / 255, atol=1e-7)
    assert header_shape(path, path) == upright.shape


def deep_gray(path):
    Image.fromarray(np.full((3, 5), 40000, np.uint16)).save(path)


def deep_color(path):
    # Pillow writes no 16-bit color PNG: IHDR, one filtered row block, IEND by hand.
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 5, 3, 16, 2, 0, 0, 0)
    rows = (b"\0" + b"\x12\x34" * 15) * 3
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("make", [deep_gray, deep_color])
@pytest.mark.parametrize("read", [read_image, lambda path: header_shape(path, path)])
def test_16_bits_are_refused_by_name(tmp_path, make, read):
    path = tmp_path / "scan.png"
    make(path)
    with pytest.raises(InputError, match=r"scan\.png has more than 8 bits"):
        read(path)


def cut(path):
    path.write_bytes(path.read_bytes()[:80])


def garbage(path):
    path.write_bytes(b"no image at all")


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [cut, garbage, empty, pathlib.Path.unlink])
def test_an_unreadable_file_is_named_in_one_line(tmp_path, spoil):
    path = save(tmp_path, Image.fromarray(LEVELS), "broken.png")
    spoil(path)
    with pytest.raises(InputError, match=r"broken\.png") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def portable(path, magic, largest):
    """A PBM/PGM/PPM file of 5x3 pixels, each `largest // 2`."""
    values = [largest // 2] * (15 * (3 if magic in "P3 P6" else 1))
    header = f"{magic} # as scanners write it\n5 3\n{largest}\n".encode()
    if magic in ("P2", "P3"):
        body = " ".join(map(str, values)).encode()
    else:
        body = np.array(values, ">u2" if largest > 255 else "u1").tobytes()
    path.write_bytes(header + body)


@pytest.mark.parametrize("read", [read_image, lambda path: header_shape(path, path)])
@pytest.mark.parametrize("largest", [256, 1023, 4095, 65535])
@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
def test_portable_files_of_more_than_8_bits_are_refused(tmp_path, magic, largest, read):
    path = tmp_path / "scan.ppm"
    portable(path, magic, largest)
    with pytest.raises(InputError, match=r"scan\.ppm has more than 8 bits") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("largest", [1, 15, 51, 85, 255])
@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
def test_portable_files_of_fewer_levels_are_read_exactly(tmp_path, magic, largest):
    path = tmp_path / "x.ppm"
    portable(path, magic, largest)
    image = read_image(path)
    assert image.shape == (3, 5, 3 if magic in "P3 P6" else 1)
    np.testing.assert_allclose(image, (largest // 2) / largest, atol=1e-7)


@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
def test_levels_that_are_none_of_8_bits_are_refused(tmp_path, magic):
    path = tmp_path / "x.ppm"
    portable(path, magic, 100)
    with pytest.raises(InputError, match=r"x\.ppm has levels from 0 to 100"):
        read_image(path)


def with_alpha(mode, value=255):
    image = Image.fromarray(LEVELS).convert(mode)
    image.putalpha(value)
    return image


@pytest.mark.parametrize(
    "image, name, options",
    [
        (with_alpha("RGB"), "x.png", {}),  # opaque everywhere, and yet a channel
        (with_alpha("RGB", 100), "x.png", {}),
        (with_alpha("L", 100), "x.png", {}),
        (with_alpha("RGB", 100), "x.webp", {"lossless": True}),
        (with_alpha("RGB", 100), "x.tif", {}),
        (Image.fromarray(LEVELS), "x.png", {"transparency": (1, 2, 3)}),
        (Image.fromarray(LEVELS[..., 0]), "x.png", {"transparency": 7}),
        (Image.fromarray(LEVELS).convert("P"), "x.png", {"transparency": 0}),
        (Image.new("P", (5, 3)), "x.gif", {"transparency": 0}),
    ],
)
def test_transparency_is_refused_by_name(tmp_path, image, name, options):
    path = save(tmp_path, image, name, **options)
    for read in (read_image, lambda path: header_shape(path, path)):
        with pytest.raises(InputError, match=r"x\.\w+ has an alpha .*save it without"):
            read(path)


FRAMES = [Image.fromarray(np.roll(LEVELS, shift)) for shift in range(2)]


@pytest.mark.parametrize(
    "name, options, frames",
    [
        ("x.gif", {}, "frames"),
        ("x.png", {}, "frames"),
        ("x.png", {"default_image": True}, "frames"),
        ("x.webp", {"lossless": True}, "frames"),
        ("x.tif", {}, "pages"),
    ],
)
def test_several_frames_are_refused_by_name(tmp_path, name, options, frames):
    options = {"save_all": True, "append_images": FRAMES[1:], **options}
    path = save(tmp_path, FRAMES[0], name, **options)
    for read in (read_image, lambda path: header_shape(path, path)):
        with pytest.raises(InputError, match=rf"x\.\w+ has several {frames}"):
            read(path)


@pytest.mark.parametrize("name", ["x.gif", "x.png", "x.webp", "x.tif"])
def test_one_frame_is_no_animation(tmp_path, name):
    path = save(tmp_path, FRAMES[0], name, save_all=True)
    assert read_image(path).shape == (3, 5, 3) == header_shape(path, path)


def test_a_preview_behind_a_jpeg_is_no_frame_of_it(tmp_path):
    path = save(
        tmp_path,
        Image.fromarray(LEVELS),
        "x.jpg",
        format="MPO",
        save_all=True,
        append_images=FRAMES[1:],
    )
    alone = save(tmp_path, Image.fromarray(LEVELS), "y.jpg")
    assert header_shape(path, path) == (3, 5, 3)
    np.testing.assert_array_equal(read_image(path), read_image(alone))


@pytest.mark.parametrize("channels", [1, 3])
def test_png_gives_back_every_level(tmp_path, channels):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    image.flat[:2] = 0, 255
    path = tmp_path / "deep" / "er" / "x.png"
    write_png(path, image)
    back = read_image(path)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, image.astype(np.float32) / np.float32(255))
    assert os.listdir(path.parent) == ["x.png"]


def test_png_bytes_depend_on_the_pixels_alone():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    assert encode_png(image) == encode_png(np.asfortranarray(image))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 1), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
    ],
)
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match="uint8"):
        encode_png(image)
