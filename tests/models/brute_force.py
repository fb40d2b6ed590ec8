"""Receptive fields by brute force: pixels are changed, and outputs compared.

Bits are compared: a field is too small if any output outside of it changes at all.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax import models


def changes(function, shape):
    """Whether a pixel changes an output place: bool [H, W, h, w].

    Each pixel is changed in three ways, upwards, since a maximum hides what is below.
    """
    height, width, _ = shape
    rng = np.random.default_rng(0)
    image = rng.random(shape, np.float32)
    seen = None
    # One at a time: in a batch, rounding may depend on the place of an image.
    run = jax.jit(functools.partial(lax.map, function))
    for scale in (1.0, 1.0, 30.0):
        other = np.tile(image, (height * width, 1, 1, 1))
        row, col = np.divmod(np.arange(height * width), width)
        other[np.arange(height * width), row, col] += scale * rng.random(
            (height * width, shape[-1]), np.float32
        )
        outs = np.asarray(run(np.concatenate([image[None], other])))
        changed = (outs[1:] != outs[:1]).any(axis=tuple(range(3, outs.ndim)))
        seen = changed if seen is None else seen | changed
    return seen.reshape(height, width, *seen.shape[1:])


def check_field(function, shape, *, everywhere=True):
    """The field that is found is never too small, and inside of the image exact.

    everywhere: at all places inside, not only at some: what is cropped inside of the
    function, and padded again, is not read by the places beside it.
    """
    seen = changes(function, shape)
    reaches = models.reach_of(function, shape)
    outputs = jax.eval_shape(function, jax.ShapeDtypeStruct(shape, jnp.float32)).shape
    assert seen.shape[2:] == outputs[:2]
    for reach, table in zip(
        reaches, (seen.any(axis=(1, 3)), seen.any(axis=(0, 2))), strict=True
    ):
        exact = 0
        for place, column in enumerate(table.T):
            first, last = reach.stride * place + reach.low, reach.stride * place
            last += reach.high
            read = np.flatnonzero(column)
            assert all(first <= pixel <= last for pixel in read), (reach, place, read)
            inside = 0 <= first and last < len(column)
            fills = inside and tuple(read[[0, -1]]) == (first, last)
            assert fills or not (inside and everywhere), (reach, place, read)
            exact += fills
        assert exact > 0
