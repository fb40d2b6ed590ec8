"""Specifications and random models of the networks for ImageNet."""

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax import models

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAMES = ("resnet18", "resnet34", "resnet50", "bagnet9", "bagnet17", "bagnet33")
SMALL = {
    "resnet18": {"width": 4},
    "resnet50": {"width": 4},
    "bagnet9": {"width": 4, "blocks": [1, 2, 1, 2]},
    "bagnet33": {"width": 4, "blocks": [1, 1, 2, 1], "strides": [1, 1, 2, 1]},
}


def spec_of(name, *, size=(48, 48), num_classes=7, **options):
    mean, std = models.default_normalization(name, 3)
    return models.ModelSpec(name, options, mean, std, num_classes, (*size, 3), {})


def random_model(name, **options):
    """A model whose statistics and affine maps are far from neutral, and images."""
    model = models.create_model(jax.random.key(0), spec_of(name, **options))
    draw = np.random.default_rng(3)

    def disturb(path, leaf):
        if path[-1].key == "kernel":
            return leaf
        low, high = (0.5, 2.0) if path[-1].key in ("scale", "var") else (-0.5, 0.5)
        return jnp.asarray(draw.uniform(low, high, leaf.shape), jnp.float32)

    variables = jax.tree_util.tree_map_with_path(disturb, model.variables)
    return model._replace(variables=variables), jnp.asarray(images_of(2, (48, 48)))


def images_of(count, size):
    return np.random.default_rng(1).random((count, *size, 3), np.float32)


def assert_close(actual, expected):
    """Within 1e-4 of the largest value: float32, summed in another order."""
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * scale)
