"""Image files as Pillow users, cameras and scanners write them."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from mspd_jax.data._image import header_shape, read_image
from mspd_jax.errors import InputError

LEVELS = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)


def save(tmp_path, image, name="x.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    "mode, channels",
    [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)],
)
def test_mode_gives_channels_and_the_header_agrees(tmp_path, mode, channels):
    path = save(tmp_path, Image.fromarray(LEVELS).convert(mode))
    image = read_image(path)
    assert image.shape == (3, 5, channels) == header_shape(path, path)
    assert image.dtype == np.float32
    if mode == "L":
        want = np.asarray(Image.fromarray(LEVELS).convert("L"))[..., None] / 255
        np.testing.assert_allclose(image, want, atol=1e-7)
    if mode in ("RGB", "RGBA"):
        np.testing.assert_allclose(image, LEVELS / 255, atol=1e-7)


def test_cmyk_jpeg_is_read_as_rgb(tmp_path):
    path = save(tmp_path, Image.new("CMYK", (5, 3), (0, 255, 255, 0)), "x.jpg")
    image = read_image(path)
    assert image.shape == (3, 5, 3) == header_shape(path, path)
    np.testing.assert_allclose(image[0, 0], [1, 0, 0], atol=0.03)  # red ink


def test_transparency_shows_the_white_page(tmp_path):
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    levels = read_image(save(tmp_path, image)) * 255
    np.testing.assert_allclose(levels[0], [[10, 20, 30], [255, 255, 255]], atol=1e-4)
    grey = Image.new("LA", (1, 1), (0, 51))  # a fifth of black over white
    np.testing.assert_allclose(
        read_image(save(tmp_path, grey)).ravel(), [0.8], atol=0.003
    )


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


def deep_grey(path):
    Image.fromarray(np.full((3, 5), 40000, np.uint16)).save(path)


def deep_colour(path):
    # Pillow writes no 16-bit colour PNG: IHDR, one filtered row block, IEND by hand.
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


@pytest.mark.parametrize("make", [deep_grey, deep_colour])
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
