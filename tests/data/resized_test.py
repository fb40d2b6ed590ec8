"""Resized sources against the float resize and torchvision; shapes, order, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import data, models
from mspd_jax.data import open_source, write_png
from mspd_jax.errors import InputError

DRAW = np.random.default_rng(0)
RULES = ["resize20-crop16-bicubic", "resize18x22-bilinear", "crop9x12-bilinear"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Smooth images of three sizes, so that pixels in between mean something."""
    folder = tmp_path_factory.mktemp("photos")
    for name, (height, width) in {"a": (40, 30), "b": (25, 61), "c": (33, 33)}.items():
        # Bicubic values stay in [0, 255] on the way, which Pillow cuts off.
        coarse = DRAW.integers(64, 192, (5, 5, 3)).astype(np.float32)
        fine = np.kron(coarse, np.ones((13, 13, 1)))[:height, :width]
        write_png(folder / f"{name}.png", fine.astype(np.uint8))
    return f"folder:{folder}"


@pytest.mark.parametrize("rule", RULES)
def test_pixels_are_those_of_the_float_resize_but_for_rounding(photos, rule):
    plain, found = open_source(photos), open_source(f"{rule}:{photos}")
    for position in range(3):
        before, after = plain.read(position), found.read(position)
        assert after[0] == before[0] and after[2:] == before[2:]
        pixels = models.at_size(lambda image: image, rule)(jnp.asarray(before.image))
        # Rounded after each of the two directions.
        np.testing.assert_allclose(after.image, pixels, atol=1.01 / 255)
        np.testing.assert_array_equal(after.image * 255, np.rint(after.image * 255))


@pytest.mark.parametrize("rule", RULES)
def test_shapes_are_told_before_an_image_is_read(photos, rule):
    found = open_source(f"{rule}:{photos}")
    shapes = [found.read(position).image.shape for position in range(3)]
    assert found.image_shape == shapes[0] and len(set(shapes)) == 1
    assert [found.shape_of(position) for position in range(3)] == shapes
    data.check_compatible(found, image_shape=shapes[0], num_classes=None)


def test_the_aspect_stays_without_a_width(photos):
    found = open_source(f"resize20-bilinear:{photos}")
    assert found.image_shape is None
    shapes = {found.shape_of(position) for position in range(3)}
    assert shapes == {(26, 20, 3), (20, 48, 3), (20, 20, 3)}
    assert {found.read(position).image.shape for position in range(3)} == shapes


def test_gray_images_of_one_size():
    found = open_source("resize16x16-bilinear:digits:test", limit=3)
    assert found.image_shape == (16, 16, 1) == found.read(0).image.shape
    assert found.spec == "resize16x16-bilinear:digits:test"
    assert found.fingerprint and len(found.indices) == 3


def test_what_cannot_be_resized(photos, tmp_path):
    small = open_source(f"crop32-bilinear:{photos}")
    assert {small.shape_of(p) for p in range(3)} == {None, (32, 32, 3)}
    with pytest.raises(
        InputError, match="image .* cannot be resized: .*smaller than the crop of 32x32"
    ):
        for position in range(3):
            small.read(position)
    np.savez(tmp_path / "a.npz", x=np.full((1, 4, 4, 3), 0.3, np.float32), y=[0])
    with pytest.raises(InputError, match="no levels of 8 bits"):
        open_source(f"resize2x2-bilinear:npz:{tmp_path / 'a.npz'}").read(0)


@pytest.mark.parametrize("rule", ["resize", "resize20", "crop9-nearest"])
def test_a_rule_that_is_none(rule):
    with pytest.raises(InputError, match=f"the rule '{rule}' is none: accepted are"):
        open_source(f"{rule}:digits:test")


@pytest.mark.compiling
def test_pixels_equal_the_published_pipeline(photos):
    transforms = pytest.importorskip(
        "torchvision.transforms", reason="parity needs torchvision"
    )
    from PIL import Image

    pipeline = transforms.Compose(
        [
            transforms.Resize(24, transforms.InterpolationMode("bicubic")),
            transforms.CenterCrop(17),
        ]
    )
    plain, found = (
        open_source(spec) for spec in (photos, f"resize24-crop17-bicubic:{photos}")
    )
    for position in range(3):
        levels = np.rint(plain.read(position).image * 255).astype(np.uint8)
        want = np.asarray(pipeline(Image.fromarray(levels)), np.float32) / 255
        np.testing.assert_array_equal(found.read(position).image, want)
