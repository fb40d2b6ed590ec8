"""Views of pictures against Pillow, JAX and the library's own resizing."""

import jax
import numpy as np
import pytest
from PIL import Image

from mspd_jax import models
from mspd_jax.preempt._views import box_views, resize_weights, whole_view

RNG = np.random.default_rng(0)


def applied(views, image):
    return np.einsum("nha,abc,nwb->nhwc", views.rows, image, views.columns)


@pytest.mark.parametrize(
    "size, length", [(32, 32), (100, 32), (33, 32), (5, 32), (1, 4)]
)
def test_weights_are_those_of_jax(size, length):
    expected = jax.image.resize(
        np.eye(size, dtype=np.float32), (length, size), "linear"
    )
    np.testing.assert_allclose(resize_weights(size, length), expected, atol=1e-6)


def test_a_box_is_cropped_before_it_is_resized():
    weights = resize_weights(90, 16, start=7, stop=71)
    np.testing.assert_array_equal(weights[:, 7:71], resize_weights(64, 16))
    assert not weights[:, :7].any() and not weights[:, 71:].any()


@pytest.mark.parametrize("start, stop", [(-1, 3), (3, 3), (0, 11)])
def test_a_box_lies_in_the_picture(start, stop):
    with pytest.raises(ValueError, match="no box"):
        resize_weights(10, 4, start=start, stop=stop)


def test_the_whole_view_is_what_at_size_shows():
    image = RNG.uniform(size=(70, 45, 3)).astype(np.float32)
    shown = models.at_size(lambda x: x, "resize32x32-bilinear")(image)
    views = whole_view(image.shape, (32, 32))
    np.testing.assert_allclose(applied(views, image)[0], shown, atol=1e-6)


def test_a_box_of_a_smaller_picture_is_pillows():
    levels = RNG.integers(0, 256, (80, 120, 3), np.uint8)
    boxes, half = np.array([[0.25, 0.1, 0.75, 0.9]]), np.array([0.5])
    views = box_views(levels.shape, (16, 16), boxes, half)
    small = Image.fromarray(levels).resize((60, 40), Image.Resampling.BILINEAR)
    box = small.crop((6, 10, 54, 30)).resize((16, 16), Image.Resampling.BILINEAR)
    # Pillow rounds to levels twice.
    np.testing.assert_allclose(
        applied(views, levels)[0], np.asarray(box, np.float32), atol=1.5
    )


def test_boxes_of_tiny_pictures_have_a_pixel():
    boxes = np.array([[0.999, 0.0, 1.0, 0.001], [0.0, 0.0, 1.0, 1.0]])
    views = box_views((1, 2, 3), (4, 4), boxes, np.array([1.0, 0.1]))
    np.testing.assert_allclose(views.rows.sum(2), 1.0, rtol=1e-6)
    np.testing.assert_allclose(views.columns.sum(2), 1.0, rtol=1e-6)
