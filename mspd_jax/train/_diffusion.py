"""The objective of a diffusion model: to say what the noise was (arXiv 2006.11239)."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax.train._objective import Objective, Signals


def diffusion_objective(alpha_bars: np.ndarray) -> Objective:
    """The simple objective of Ho et al. 2020, eq. 14, of a network e.

        mean |n - e(sqrt(a_t) (2 x - 1) + sqrt(1 - a_t) n, t)|^2,   a = alpha_bars,

    over images x in [0, 1], normal noise n and timesteps t, which are drawn uniformly,
    anew for each image in each epoch.

    alpha_bars: of each timestep, see `models.alpha_bars`.
    """
    signals, noises = np.sqrt(alpha_bars), np.sqrt(1.0 - alpha_bars)
    shares = {"signals": signals, "noises": noises}
    shares = {name: jnp.asarray(x, jnp.float32) for name, x in shares.items()}
    return Objective(Partial(_diffused, **shares), Partial(_noise_error))


def _diffused(key, predict, image, label, *, signals, noises):
    """x_t, the noise n in it, and t."""
    del predict, label
    time_key, noise_key = jax.random.split(key)
    time = jax.random.randint(time_key, (), 0, len(signals))
    noise = jax.random.normal(noise_key, image.shape, image.dtype)
    return signals[time] * (2.0 * image - 1.0) + noises[time] * noise, noise, time


def _noise_error(forward, batch_stats, images, adversarial, labels):
    del images, labels
    diffused, noise, time = adversarial
    found, batch_stats = forward(batch_stats, diffused, time=time)
    return jnp.mean((found - noise) ** 2), Signals(batch_stats, None, None)
