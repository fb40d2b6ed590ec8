"""One step of a diffusion as a denoiser: its timestep, and what is known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.noise_by_hand import Gaussian, spec

# From beta = 1e-4 and 0.02 alone, in plain arithmetic.
_KEPT = [1.0]
for _step in range(1000):
    _KEPT.append(_KEPT[-1] * (1 - 1e-4 - (0.02 - 1e-4) * _step / 999))
LINEAR = np.asarray(_KEPT[1:])


@pytest.mark.parametrize("sigma", [0.005001, 0.12, 0.25, 0.5, 1.0])
def test_the_timestep_has_twice_the_noise_of_the_pixels(sigma):
    level = models.noise_level(models.alpha_bars(spec()), sigma=sigma)
    ratios = ((1 - LINEAR) / LINEAR) ** 0.5
    nearest = min(range(1000), key=lambda t: abs(ratios[t] - 2 * sigma))
    assert level.time == nearest
    assert level.signal**2 == pytest.approx(LINEAR[nearest], rel=1e-9)
    assert level.noise**2 == pytest.approx(1 - LINEAR[nearest], rel=1e-9)
    # A step of the schedule changes the noise by less than 2 % where it matters.
    if sigma >= 0.12:
        assert level.noise / level.signal == pytest.approx(2 * sigma, rel=0.01)


@pytest.mark.parametrize("sigma", [None, 0.0, 0.004, 79.0, float("nan")])
def test_noise_that_no_timestep_has_is_refused(sigma):
    with pytest.raises(InputError, match=r"from 0\.0050 to 78\.7, got") as caught:
        models.noise_level(LINEAR, sigma=sigma)
    assert "\n" not in str(caught.value)


def test_only_diffusion_models_have_timesteps():
    with pytest.raises(InputError, match="a dncnn is a denoiser, not a diffusion mod"):
        models.alpha_bars(spec()._replace(architecture="dncnn", options={}))


SHAPE = (3, 4, 2)


@pytest.mark.parametrize("time", [0, 170, 700])
def test_with_the_exact_noise_it_is_the_posterior_mean(time):
    data = Gaussian(SHAPE)
    deviation = ((1 - LINEAR[time]) / LINEAR[time]) ** 0.5
    level = models.noise_level(LINEAR, sigma=deviation / 2)
    assert level.time == time
    denoise = models.one_shot_denoiser(data.noise_predictor(LINEAR), level=level)
    draw = np.random.default_rng(1)
    clean = data.mean + np.linalg.cholesky(
        data.covariance + 1e-12 * np.eye(24)
    ) @ draw.standard_normal(24)
    noisy = clean.reshape(SHAPE) + deviation * draw.standard_normal(SHAPE)
    image = jnp.asarray((noisy + 1) / 2, jnp.float32)
    expected = data.posterior_mean(2 * np.float64(image) - 1, deviation)
    assert np.abs(expected).max() < 1  # nothing is clipped
    np.testing.assert_allclose(
        denoise(image), (expected + 1) / 2, rtol=0, atol=2e-5 * max(1, deviation)
    )


def test_what_leaves_the_box_is_clipped_and_a_new_sigma_compiles_nothing():
    runs = []

    def none(x, time):
        runs.append(time)
        return jnp.zeros_like(x)

    image = jnp.asarray([[[-0.25, 0.5, 1.75]]])
    denoise = jax.jit(lambda f, x: f(x))
    predict = jax.tree_util.Partial(none)
    for sigma in (0.25, 0.5):
        level = models.noise_level(LINEAR, sigma=sigma)
        clean = denoise(models.one_shot_denoiser(predict, level=level), image)
        np.testing.assert_allclose(clean, [[[0.0, 0.5, 1.0]]], atol=1e-6)
    assert len(runs) == 1
