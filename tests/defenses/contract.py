"""What every purifier promises, whatever it computes."""

import io

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

# Rounding of compiled code, in pixel values; a level is 4e-3.
ROUNDING = 1e-6


def check_contract(test, transform, images, *, alone=None, rounding=ROUNDING):
    """Shape, type, range; compiled and among other images the same as alone.

    images: [B, H, W, C] in [0, 1]. alone: for one image, by default `transform` step by
    step, nothing compiled. rounding: 0.0 where all have to be equal bit by bit.
    """
    rows = np.asarray(jax.jit(jax.vmap(transform))(images))
    test.assertEqual((rows.shape, rows.dtype), (images.shape, np.float32))
    test.assertGreaterEqual(rows.min(), -ROUNDING)
    test.assertLessEqual(rows.max(), 1.0 + ROUNDING)
    test.assertGreater(np.abs(rows - images).max(), 1e-3, "it does nothing")
    for row, image in zip(rows, images, strict=True):
        want = (alone or transform)(jnp.asarray(image))
        np.testing.assert_allclose(row, want, rtol=0, atol=rounding)


def pictures(shape, *, seed=0, count=4):
    """8-bit images as float32: waves, waves with noise, noise alone, by turns."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]] / 16
    made = []
    for number in range(count):
        phase, speed = rng.uniform(0, 6, shape[2]), rng.uniform(0.5, 3, (2, shape[2]))
        wave = np.sin(rows[..., None] * speed[0] + phase) * np.cos(
            columns[..., None] * speed[1]
        )
        noise = rng.normal(0, 8, shape) if number % 3 == 1 else 0.0
        levels = rng.uniform(0, 255, shape) if number % 3 == 2 else 127.5 + 120 * wave
        made.append(np.clip(np.rint(levels + noise), 0, 255))
    return (np.stack(made) / 255).astype(np.float32)


def by_pillow(image, quality, **options):
    """The levels of the file, and the two tables in it as [8, 8]."""
    levels = np.rint(255 * image).astype(np.uint8)
    file = io.BytesIO()
    squeezed = levels[..., 0] if levels.shape[-1] == 1 else levels
    Image.fromarray(squeezed).save(file, "JPEG", quality=quality, **options)
    opened = Image.open(file)
    tables = [np.reshape(opened.quantization[i], (8, 8)) for i in opened.quantization]
    return np.float64(opened).reshape(image.shape), tables
