"""Conversion of a small_cnn, and the line of a refusal."""

import pytest

from mspd_jax import models
from mspd_jax.errors import InputError

SHAPE = (8, 8, 1)


def convert(path, architecture="small_cnn", image_shape=SHAPE, **options):
    return models.convert_torch(
        path, architecture=architecture, image_shape=image_shape, **options
    )


def refusal(function, *args, **options):
    with pytest.raises(InputError) as caught:
        function(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def published_row(architecture):
    """A row of the table for small files of an architecture."""
    return models.find_published("oval_base")._replace(
        identifier="small",
        architecture=architecture,
        options={"activation": "silu"},
        num_classes=5,
        mean=(0.1, 0.2, 0.3),
        std=(0.5,) * 3,
        image_size=8,
        sha256=(),
    )
