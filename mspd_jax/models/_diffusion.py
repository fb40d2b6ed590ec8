"""One step of a diffusion model as a denoiser (Carlini et al. 2023, arXiv 2206.10550).

A diffusion model has seen x_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) n, with
images x in [-1, 1], normal noise n and every t, and says what n was. An image with
Gaussian noise of any sigma is such an x_t, but for its scale, at one timestep.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.models._architectures import family_of
from mspd_jax.models._build import build_module
from mspd_jax.models._callable import as_pytree
from mspd_jax.models._spec import ModelSpec
from mspd_jax.models.networks import DIFFUSION


class NoiseLevel(NamedTuple):
    """A timestep t, and the shares of the image and of the noise in x_t.

    signal: sqrt(alpha_bar_t). noise: sqrt(1 - alpha_bar_t).
    """

    time: int
    signal: float
    noise: float


def alpha_bars(spec: ModelSpec) -> np.ndarray:
    """alpha_bar_t of a diffusion model, float64 [timesteps], falling.

    Raises InputError for another kind of network.
    """
    kind = family_of(spec.architecture).kind
    if kind != DIFFUSION:
        raise InputError(f"a {spec.architecture} is {kind}, not {DIFFUSION}")
    module = build_module(spec)
    return module.schedule(module.timesteps)


def noise_level(alpha_bars: np.ndarray, *, sigma: float | None) -> NoiseLevel:
    """The level whose noise is nearest to Gaussian noise of `sigma` on pixels.

        t = argmin_t | sqrt((1 - alpha_bar_t) / alpha_bar_t) - 2 sigma |,

    where sigma counts twice because the model's images lie in [-1, 1]. Raises
    InputError for noise below that of the first timestep, or above that of the last.

    Deviation: the authors' code takes the first t whose noise is not below 2 sigma, and
    draws noise of that level. Here the noise is there already.
    """
    ratios = np.sqrt((1.0 - alpha_bars) / alpha_bars)
    if sigma is None or not ratios[0] <= 2 * sigma <= ratios[-1]:
        raise InputError(
            "a diffusion model denoises noise of a known `sigma`, this one from "
            f"{ratios[0] / 2:.4f} to {ratios[-1] / 2:.4g}, got {sigma}"
        )
    time = int(np.argmin(np.abs(ratios - 2 * sigma)))
    kept = alpha_bars[time]
    return NoiseLevel(time, float(np.sqrt(kept)), float(np.sqrt(1.0 - kept)))


def one_shot_denoiser(predict_noise: Callable, *, level: NoiseLevel) -> Partial:
    """A denoiser made of what predicts the noise in an image of a diffusion.

        x_t = sqrt(a) (2 image - 1),   a = alpha_bar_t
        x   = (x_t - sqrt(1 - a) predict_noise(x_t, t)) / sqrt(a)
        result = (clip(x, -1, 1) + 1) / 2

    For the exact predictor, E[n | x_t], this is the mean of the clean images given the
    noisy one. Gradient flows through `predict_noise`, and is zero where x is clipped.
    The level is traced: another one compiles nothing.

    Args:
      predict_noise: (x_t [H, W, C], t []) -> noise [H, W, C], a callable pytree or a
        function.
      level: see `noise_level`.

    Returns:
      noisy image [H, W, C] -> image in [0, 1], a callable pytree.
    """
    levels = (jnp.asarray(number, jnp.float32) for number in level)
    return Partial(_one_shot, as_pytree(predict_noise), *levels)


def _one_shot(predict_noise, time, signal, noise, image):
    x = signal * (2.0 * image - 1.0)
    x = (x - noise * predict_noise(x, time)) / signal
    return (jnp.clip(x, -1.0, 1.0) + 1.0) / 2.0
