"""Small diffusion models, and Gaussian data whose noise is predicted exactly."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax import models

# One level, and attention in the middle alone: quickly compiled.
TINY = {"widths": [4], "layers": 1, "groups": 2, "attention": []}


def spec(name="ddpm", channels=1, size=8, mean=0.5, **options):
    return models.ModelSpec(
        architecture=name,
        options={**TINY, **options},
        mean=(mean,) * channels,
        std=(0.5,) * channels,
        num_classes=0,
        image_shape=(size, size, channels),
        origin={},
    )


def random_model(name="ddpm", **more):
    """Weights that are far from those of a beginning."""
    model = models.create_model(jax.random.key(1), spec(name, **more))
    draw = np.random.default_rng(0)
    shaken = jax.tree.map(
        lambda x: x + jnp.float32(0.1) * draw.standard_normal(x.shape, np.float32),
        model.variables,
    )
    return model._replace(variables=shaken)


class Gaussian:
    """Images m + R g of normal g, R [d, d], in [-1, 1] units, as float64.

    Both of what follows are E[. | x_t] of a jointly normal pair, by its covariances.
    """

    def __init__(self, shape, seed=0, spread=0.1):
        draw, size = np.random.default_rng(seed), int(np.prod(shape))
        root = spread * draw.standard_normal((size, size)) / np.sqrt(size)
        self.shape, self.mean = shape, 0.2 * draw.standard_normal(size)
        self.covariance = root @ root.T

    def noise_predictor(self, alpha_bars):
        """E[n | x_t] as a function of x_t and t."""
        tables = []
        for kept in alpha_bars:
            total = kept * self.covariance + (1 - kept) * np.eye(len(self.mean))
            matrix = np.sqrt(1 - kept) * np.linalg.inv(total)
            tables.append((matrix, np.sqrt(kept) * self.mean))
        matrices, centers = (
            jnp.asarray(np.stack(x), jnp.float32) for x in zip(*tables, strict=True)
        )
        return Partial(_exact_noise, matrices, centers)

    def posterior_mean(self, noisy, deviation):
        """E[x | x + deviation n]."""
        total = self.covariance + deviation**2 * np.eye(len(self.mean))
        gain = self.covariance @ np.linalg.inv(total)
        x = np.asarray(noisy, np.float64).ravel()
        return (self.mean + gain @ (x - self.mean)).reshape(self.shape)


def _exact_noise(matrices, centers, x, time):
    place = time.astype(jnp.int32)
    return (matrices[place] @ (x.ravel() - centers[place])).reshape(x.shape)
