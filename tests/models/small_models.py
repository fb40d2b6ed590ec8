"""A small_cnn whose statistics are far from neutral, and its logits in NumPy."""

import pathlib
import tempfile

import numpy as np
from safetensors.numpy import save_file

from mspd_jax import models
from tests.models.conversion import small_reference

SHAPE = (8, 8, 2)
IMAGES = np.random.default_rng(5).random((7, *SHAPE), np.float32)
TENSORS = small_reference.random_tensors(channels=2)


def small_model():
    """A small_cnn of TENSORS, with a normalization."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.safetensors")
        save_file(TENSORS, path)
        return models.convert_torch(
            path,
            architecture="small_cnn",
            image_shape=SHAPE,
            mean=(0.3, 0.6),
            std=(0.2, 2),
        )


def spec(name="small_cnn", channels=2, **options):
    return models.ModelSpec(
        architecture=name,
        options=options,
        mean=(0.4,) * channels,
        std=(0.3,) * channels,
        num_classes=5,
        image_shape=(8, 8, channels),
        origin={},
    )


def reference(images):
    normalization = dict(mean=np.array([0.3, 0.6]), std=np.array([0.2, 2.0]))
    return np.stack(
        [small_reference.logits(TENSORS, x, **normalization) for x in images]
    )
