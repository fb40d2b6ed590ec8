"""Faults as they are met in published evaluations, planted into a sound model."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial

from mspd_jax import models

PAD = 2


def quantizing(predict, image):
    return predict(jnp.round(image * 15) / 15)


def saturating(predict, image):
    return jnp.tanh(100 * predict(image))


def probabilities(predict, image):
    return jax.nn.softmax(predict(image))


def detached(predict, image):
    return predict(lax.stop_gradient(image))


def detached_main(predict, image):
    """The main branch is detached; a weak one beside it keeps a gradient."""
    small = jnp.tanh(jnp.sum(image) * jnp.arange(10.0) / 1000)
    return predict(lax.stop_gradient(image)) + small


def detached_below(predict, image):
    """Right along its own gradient, which sees the upper rows alone."""
    upper = image[:3]
    return predict(jnp.concatenate([upper, lax.stop_gradient(image[3:])]))


def concealing(predict, image):
    """arXiv 2205.10617."""
    return predict(image + 1e-8 * jnp.sin(1e20 * image))


def normalized(mean, std, predict, image):
    return predict((image - mean) / std)


def straight_rounding(predict, image):
    """Steps in the forward pass, the identity in the backward pass."""
    rounded = jnp.round(image * 15) / 15
    return predict(image + lax.stop_gradient(rounded - image))


def cropped(image, offset):
    """A random crop of the padded image."""
    padded = jnp.pad(image, ((PAD, PAD), (PAD, PAD), (0, 0)))
    return lax.dynamic_slice(padded, (*offset, 0), image.shape)


def crop_by_key(predict, key, image):
    offset = jax.random.randint(key, (2,), 0, 2 * PAD + 1)
    return predict(cropped(image, offset))


def crop_by_image(predict, image):
    bits = lax.bitcast_convert_type(lax.stop_gradient(image), jnp.uint32)
    key = jax.random.key(jnp.sum(bits * jnp.uint32(2654435761)))
    return crop_by_key(predict, key, image)


def crop_by_coarse_image(predict, image):
    """The same crop for all images that round to the same 8-bit sum."""
    key = jax.random.key(_level_sum(image, 255))
    return crop_by_key(predict, key, image)


def noise_by_coarse_image(predict, image):
    """Noise drawn by a hash of the image in nine levels."""
    key = jax.random.key(_level_sum(image, 8))
    return predict(image + 0.25 * jax.random.normal(key, image.shape))


def _level_sum(image, levels):
    rounded = jnp.round(lax.stop_gradient(image).reshape(-1) * levels)
    place = 1 + lax.iota(jnp.int32, rounded.size)
    return jnp.sum(place * rounded.astype(jnp.int32))


_HOST = np.random.default_rng(0)


def _drawn(image):
    size = (*image.shape[:-3], 2)
    return _HOST.integers(0, 2 * PAD + 1, size).astype(np.int32)


def crop_by_host(predict, image):
    shape = jax.ShapeDtypeStruct((2,), np.int32)
    fixed = lax.stop_gradient(image)
    offset = jax.pure_callback(_drawn, shape, fixed, vmap_method="broadcast_all")
    return predict(cropped(image, offset))


def clipped(predict, image):
    """Whatever happens below .1 or above .9 has no gradient."""
    return predict(jnp.clip(image, 0.1, 0.9))


def dark_clipped(predict, image):
    return predict(jnp.maximum(image, 0.1))


def counting(predict, limit):
    """Turns its logits around once it was called `limit` times. Its counter is its own.

    Returns (model, the calls so far as a function).
    """
    calls = itertools.count()
    latest = [0]

    def late(image):
        latest[0] = next(calls) + 1
        return np.full(np.shape(image), latest[0] > limit, np.float32)

    def logits(image):
        shape = jax.ShapeDtypeStruct((), np.float32)
        pixel = lax.stop_gradient(image[0, 0, 0])
        turned = jax.pure_callback(late, shape, pixel, vmap_method="broadcast_all")
        return predict(image) * (1.0 - 2.0 * turned)

    return logits, lambda: latest[0]


def overflowing(predict, image):
    """Fine forwards, NaN backwards: the square root of zero."""
    return predict(image) + 0 * jnp.sqrt(jnp.sum(jnp.square(image - image)))


def training_mode(model):
    """Batch normalization by the moments of the batch."""

    def logits(variables, images):
        return models.train_outputs(model.spec, variables, images)[0]

    return models.from_batched(logits, model.variables)


def planted(name, predict):
    """A fault of those above that needs nothing but a sound model."""
    if name == "crop_by_key":
        return Partial(crop_by_key, predict, jax.random.key(5))
    if name == "normalized":
        return Partial(normalized, jnp.float32(0.5), jnp.float32(0.5), predict)
    return Partial(globals()[name], predict)
