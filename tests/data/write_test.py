"""PNG keeps every level."""

import os

import numpy as np
import pytest

from mspd_jax.data import encode_png, read_image, write_png


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
