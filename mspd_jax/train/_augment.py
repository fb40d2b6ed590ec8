"""Augmentation of one training image: a pure function of its key.

The trainer gives every image the key fold_in(fold_in(key, epoch), index in the data
set), so what an image looks like in an epoch does not depend on its batch, on the
number of devices or on a restart.
"""

import functools

import chex
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import models, patch

_fixed = functools.cache(functools.partial)


def random_crop(key: jax.Array, image: jax.Array, *, pad: int) -> jax.Array:
    """Shifts the image by up to `pad` pixels each way; black comes in at the border.

    image: [H, W, C]. All (2 pad + 1)^2 shifts are equally likely.
    """
    padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    row, column = jax.random.randint(key, (2,), 0, 2 * pad + 1)
    return jax.lax.dynamic_slice(padded, (row, column, 0), image.shape)


def random_flip(key: jax.Array, image: jax.Array) -> jax.Array:
    """Mirrors the image [H, W, C] left to right with probability 1/2."""
    return jnp.where(jax.random.bernoulli(key), image[:, ::-1], image)


def add_noise(key: jax.Array, image: jax.Array, *, sigma: jax.Array) -> jax.Array:
    """Adds N(0, sigma^2) to every value and does not clip (Cohen et al. 2019)."""
    return image + sigma * jax.random.normal(key, image.shape, image.dtype)


def hide_window(
    key: jax.Array, image: jax.Array, *, size: int, least: int | None = None
) -> jax.Array:
    """The image [H, W, C] with a gray square of `size` pixels at a random place.

    least: where its side is drawn, too, from `least` to `size`.

    What a detector of patches asks of a classifier is the right class under each of its
    windows (Xiang et al. 2022, arXiv 2108.09135, train with them).
    """
    pixels = (models.PIXEL, models.PIXEL)
    hidden = patch.random_window(
        key, image.shape, pixels, image.shape, size=size, least=least
    )
    return patch.gray_window(image, patch.hides(hidden, 0))


def augment(
    key: jax.Array,
    image: jax.Array,
    *,
    pad: int = 0,
    flip: bool = False,
    hide: int = 0,
    hide_least: int | None = None,
    sigma: jax.Array | None = None,
) -> jax.Array:
    """Crop, flip, a hidden window, noise: where asked for, from independent keys."""
    chex.assert_rank(image, 3)
    crop_key, flip_key, noise_key = jax.random.split(key, 3)
    if pad:
        image = random_crop(crop_key, image, pad=pad)
    if flip:
        image = random_flip(flip_key, image)
    if hide:
        hide_key = jax.random.fold_in(key, 3)
        image = hide_window(hide_key, image, size=hide, least=hide_least)
    if sigma is not None:
        image = add_noise(noise_key, image, sigma=sigma)
    return image


def augmentation(
    *,
    pad: int = 0,
    flip: bool = False,
    hide: int = 0,
    hide_least: int | None = None,
    sigma: float | None = None,
) -> Partial:
    """`augment` with its options set, as the trainer takes it: (key, image) -> image.

    Equal `pad`, `flip` and `hide` give the same static function: a new sigma compiles
    nothing.
    """
    if min(pad, hide) < 0:
        raise ValueError(f"`pad`, `hide`: expected 0 or more pixels, got {pad}, {hide}")
    if hide_least is not None and not 1 <= hide_least <= hide:
        raise ValueError(f"`hide_least`: expected 1 to `hide`={hide}, got {hide_least}")
    traced = None if sigma is None else jnp.asarray(sigma, jnp.float32)
    static = {"pad": pad, "flip": flip, "hide": hide, "hide_least": hide_least}
    return Partial(_fixed(augment, **static), sigma=traced)
