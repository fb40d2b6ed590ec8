"""Networks that return images, as functions of one image."""

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jax.typing import DTypeLike

from mspd_jax.errors import InputError
from mspd_jax.models._build import (
    function_of,
    function_of_kind,
    is_told_noise,
    model_kind,
)
from mspd_jax.models._diffusion import alpha_bars, noise_level, one_shot_denoiser
from mspd_jax.models._spec import Model
from mspd_jax.models.networks import DENOISER, DIFFUSION, RESTORATION


def restorer(
    model: Model, *, sigma: float | None = None, dtype: DTypeLike = jnp.float32
) -> jax.tree_util.Partial:
    """A denoiser as a callable pytree: image [H, W, C] -> image [H, W, C].

    Everything else is as for `predictor`. What comes out of a denoiser is not clipped.
    A diffusion model is one for every sigma (`one_shot_denoiser`, at the timestep of
    `noise_level`), and clips to [0, 1]. Raises InputError for what is neither.

    Args:
      model: a denoiser or a diffusion model.
      sigma: standard deviation of the noise on pixels in [0, 1]; most denoisers know
        the one that they were trained on, or see it, and do not look at it.
      dtype: as for `predictor`.

    Returns:
      noisy image -> image, a callable pytree.

    Example:
      denoise = models.restorer(models.load_model("DIFFUSION"), sigma=0.25)
    """
    if model_kind(model.spec) != DIFFUSION:
        restore = function_of_kind(DENOISER, model, dtype=dtype)
        if not is_told_noise(model.spec):
            return restore
        if sigma is None:
            raise InputError(f"a {model.spec.architecture} is told a `sigma`: give one")
        return Partial(_told, restore, jnp.asarray(sigma, jnp.float32))
    level = noise_level(alpha_bars(model.spec), sigma=sigma)
    return one_shot_denoiser(function_of(model, dtype=dtype), level=level)


def _told(restore, sigma, image):
    return restore(image, sigma)


def map_restorer(
    model: Model, *, dtype: DTypeLike = jnp.float32
) -> jax.tree_util.Partial:
    """A restoration network as a callable pytree that reads gradient maps as well.

    [H, W, C * (1 + maps)], the image first -> image [H, W, C]. Everything else is as
    for `restorer`. Raises InputError for what is no restoration network.
    """
    return function_of_kind(RESTORATION, model, dtype=dtype)
