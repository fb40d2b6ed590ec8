"""What training of diffusion models lowers, and that they learn to denoise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mspd_jax import data, models, train
from tests.models.noise_by_hand import spec

KEPT = np.asarray([0.96, 0.5, 0.04])


def draws(image, count):
    adversary = train.diffusion_objective(KEPT).adversary
    keys = jax.random.split(jax.random.key(3), count)
    return jax.vmap(lambda key: adversary(key, None, image, 0))(keys)


def test_an_image_is_diffused_to_a_timestep_of_the_schedule():
    image = jnp.asarray(np.random.default_rng(0).random((2, 3, 1), np.float32))
    diffused, noise, time = (np.asarray(x) for x in draws(image, 3000))
    kept = KEPT[time][:, None, None, None]
    expected = np.sqrt(kept) * (2 * np.float64(image) - 1) + np.sqrt(1 - kept) * noise
    np.testing.assert_allclose(diffused, expected, atol=1e-6)
    # One fixed key: sound generators pass each for 99.9 % of keys.
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert stats.chisquare(np.bincount(time, minlength=3)).pvalue > 1e-3
    # Noise and timestep know nothing of each other.
    first = [noise[time == t].ravel() for t in range(3)]
    assert stats.f_oneway(*first).pvalue > 1e-3


def test_the_loss_is_the_mean_squared_error_of_the_noise():
    draw = np.random.default_rng(1)
    diffused, noise = draw.standard_normal((2, 4, 2, 2, 1)).astype(np.float32)
    time = np.float32([0, 2, 1, 1])
    chosen = train.diffusion_objective(KEPT)

    def forward(statistics, x, *, time):
        return x * time[:, None, None, None], {"seen": statistics["seen"] + 1}

    loss, signals = chosen.loss(
        forward, {"seen": 0}, None, (jnp.asarray(diffused), noise, time), None
    )
    found = diffused.astype(np.float64) * time[:, None, None, None]
    np.testing.assert_allclose(loss, ((found - noise) ** 2).mean(), rtol=1e-6)
    assert signals.batch_stats["seen"] == 1
    assert (signals.clean, signals.robust) == (None, None)


@pytest.mark.slow
def test_a_diffusion_model_of_digits_removes_noise_of_two_sigmas():
    images, _ = data.load_arrays(data.open_source("digits:train", limit=1024))
    of = spec(widths=[16, 32], groups=4, attention=[1])
    model = train.fit(
        jax.random.key(0),
        of,
        images,
        np.full(len(images), -1),
        objective=train.diffusion_objective(models.alpha_bars(of)),
        optimizer=train.optimizer("adamw", learning_rate=4e-3, clip=1.0),
        epochs=12,
        batch_size=128,
        ema=0.99,
    )
    held_out, _ = data.load_arrays(data.open_source("digits:test", limit=64))
    clean = np.float32(held_out) / 255
    draw = np.random.default_rng(0)
    run = jax.jit(lambda f, x: jax.vmap(f)(x))
    for sigma in (0.25, 0.5):
        noisy = clean + sigma * draw.standard_normal(clean.shape).astype(np.float32)
        restored = run(models.restorer(model, sigma=sigma), noisy)
        error = np.mean((np.asarray(restored) - clean) ** 2)
        # Clipping alone leaves some 60 % of it.
        clipped = np.mean((np.clip(noisy, 0, 1) - clean) ** 2)
        assert error < 0.6 * clipped, (sigma, error, clipped)
