"""A small network for pictures, and photographs of noise."""

import jax
import numpy as np
from PIL import Image

from mspd_jax import models

SPEC = models.ModelSpec(
    "small_cnn", {"widths": (4, 4)}, (0.5,) * 3, (0.25,) * 3, 4, (8, 8, 3), {}
)


def surrogate(seed=0):
    return models.create_model(jax.random.key(seed), SPEC)


def photo(path, mode="RGB", size=(40, 30), seed=0, **options):
    """Writes a smooth picture of some noise; its pixels."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, channels), np.uint8)
    image = Image.fromarray(coarse.squeeze(), mode).resize(size)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return np.asarray(Image.open(path))


def gray_model():
    spec = SPEC._replace(mean=(0.5,), std=(0.25,), image_shape=(8, 8, 1))
    return models.create_model(jax.random.key(0), spec)
