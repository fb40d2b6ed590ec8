"""Compression as JPEG by a real codec."""

import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap
from PIL import Image

from mspd_jax.attacks import fixed
from mspd_jax.defenses._checks import check_integer, check_jpeg_image

# Bytes of each array handed to the host. From 100 KiB on, JAX lets a thread of the pool
# that runs the callbacks copy them, and waits for ever once all are inside callbacks.
_PIECE = 2**16


def jpeg(image: jax.Array, *, quality: int) -> jax.Array:
    """The image after it was saved as a JPEG file and read again (Guo et al. 2018).

        x -> decode(encode(round(255 clip(x, 0, 1)))) / 255

    exactly as Pillow does it: baseline, Annex K tables scaled to `quality`, and, for
    RGB images, 4:2:0 chroma subsampling (its defaults). quality: 1 to 100, static.
    image: [H, W, 3] or, saved in gray, [H, W, 1]. Returns float32 of the same shape.

    Runs on the host, by a callback: one call for all images that `vmap` maps over, also
    under `pmap` and on several devices, where each has its own calls.

    Its gradient is zero, like that of any rounding. To attack a classifier behind it,
    take the gradient of an approximation: `attacks.straight_through(compress,
    backward=approximate)`, with Partials of `jpeg` and of `jpeg_soft`; with
    backward=None, that of the identity. arXiv 1711.00117, 1608.00853.
    """
    quality = check_integer("quality", quality, least=1, most=100)
    check_jpeg_image(image)
    levels = jnp.round(255.0 * jnp.clip(image, 0.0, 1.0)).astype(jnp.uint8)
    return _recoder(quality)(levels[None])[0]


# Functions once for each of their options: new ones would compile again.
@functools.cache
def _recoder(quality):
    """uint8 [B, H, W, C] -> float32 [B, H, W, C], under `vmap` for larger B."""

    @custom_vmap
    def recode(levels):
        flat = levels.reshape(-1)
        pieces = [flat[start : start + _PIECE] for start in range(0, flat.size, _PIECE)]
        result = jax.ShapeDtypeStruct(levels.shape, jnp.float32)
        on_host = fixed(_recode, quality=quality, shape=levels.shape)
        return jax.pure_callback(on_host, result, *pieces)

    @recode.def_vmap
    def recode_mapped(size, mapped, levels):
        del size, mapped
        recoded = recode(levels.reshape(-1, *levels.shape[2:]))
        return recoded.reshape(levels.shape), True

    return recode


def _recode(*pieces, quality, shape):
    """In NumPy alone: JAX must not be called from a callback."""
    images = np.concatenate([np.asarray(piece) for piece in pieces]).reshape(shape)
    decoded = np.stack([_recode_one(quality, image) for image in images])
    return decoded / np.float32(255)


def _recode_one(quality, image):
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    file = io.BytesIO()
    # Said, not left to Pillow: a later one may have other defaults.
    Image.fromarray(squeezed).save(
        file, format="JPEG", quality=quality, subsampling="4:2:0"
    )
    return np.asarray(Image.open(file)).reshape(image.shape)
