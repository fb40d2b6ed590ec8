"""Diffusion models among the denoisers: what they are made from, and refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.noise_by_hand import random_model, spec

IMAGE = np.random.default_rng(3).random((8, 8, 1), np.float32)


def test_a_diffusion_model_denoises_at_the_timestep_of_sigma():
    model = random_model()
    predict, restore = jax.jit(models.function_of(model)), jax.jit(lambda f, x: f(x))
    for sigma in (0.25, 0.5):
        level = models.noise_level(models.alpha_bars(spec()), sigma=sigma)
        x = level.signal * (2 * IMAGE - 1)
        noise = predict(x, jnp.float32(level.time))
        clean = np.clip((x - level.noise * noise) / level.signal, -1, 1)
        found = restore(models.restorer(model, sigma=sigma), IMAGE)
        np.testing.assert_allclose(found, (clean + 1) / 2, rtol=1e-4, atol=1e-5)
        assert np.abs(found - IMAGE).max() > 1e-2


def test_its_noise_is_that_of_the_training_form():
    """And reads neither mean nor std: x_t is no image."""
    model = random_model()
    times = jnp.asarray([3, 700])
    images = jnp.asarray(np.stack([IMAGE, 3 * IMAGE - 1]))
    train = functools.partial(models.train_outputs, model.spec)
    noise, statistics = jax.jit(train)(model.variables, images, time=times)
    assert statistics == {}
    found = jax.jit(jax.vmap(models.function_of(model)))(images, times)
    np.testing.assert_allclose(found, noise, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model: models.restorer(model), "of a known `sigma`, .* got None"),
        (lambda model: models.predictor(model), "is a diffusion model, not a class"),
        (lambda model: models.map_restorer(model), "is a diffusion model, not a rest"),
        (
            lambda model: models.function_of(model)(jnp.zeros((8, 8, 3)), 0),
            r"reads \[H, W, 1\]",
        ),
    ],
)
def test_refusals(call, words):
    model = models.Model(spec(), {"params": {}})
    shapes = jax.eval_shape(
        lambda key: models.create_model(key, spec()).variables, jax.random.key(0)
    )
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    with pytest.raises(InputError, match=words):
        call(model._replace(variables=zeros))
