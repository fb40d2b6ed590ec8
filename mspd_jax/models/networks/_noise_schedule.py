"""How much of an image is left at each timestep of a diffusion."""

from collections.abc import Callable

import numpy as np

# Timesteps -> alpha_bar of each of them.
NoiseSchedule = Callable[[int], np.ndarray]

_COSINE_OFFSET, _LARGEST_BETA = 0.008, 0.999


def linear_alpha_bars(timesteps: int) -> np.ndarray:
    """The schedule of Ho et al. 2020 (arXiv 2006.11239), float64 [timesteps].

        alpha_bar_t = prod_{s <= t} (1 - beta_s),   t = 0, ..., timesteps - 1,

    with beta from 1e-4 to 0.02 in equal steps where there are 1000 of them; of T steps,
    each is 1000 / T times as large.
    """
    betas = np.linspace(1e-4, 0.02, timesteps) * (1000 / timesteps)
    return np.cumprod(1.0 - np.minimum(betas, _LARGEST_BETA))


def cosine_alpha_bars(timesteps: int) -> np.ndarray:
    """The schedule of Nichol and Dhariwal 2021 (arXiv 2102.09672, eq. 17), float64.

    alpha_bar_t = prod_{s <= t} (1 - beta_s),
    beta_t = min(1 - f(t + 1) / f(t), 0.999),
    f(t) = cos^2(pi / 2 * (t / T + 0.008) / 1.008)
    """
    share = (np.arange(timesteps + 1) / timesteps + _COSINE_OFFSET) / (
        1.0 + _COSINE_OFFSET
    )
    left = np.cos(np.pi / 2 * share) ** 2
    return np.cumprod(1.0 - np.minimum(1.0 - left[1:] / left[:-1], _LARGEST_BETA))


SCHEDULES: dict[str, NoiseSchedule] = {
    "linear": linear_alpha_bars,
    "cosine": cosine_alpha_bars,
}
