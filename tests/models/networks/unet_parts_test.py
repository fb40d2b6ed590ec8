"""Parts of the U-Net: what they compute, in NumPy."""

import jax
import numpy as np
import pytest

from mspd_jax.models.networks import fold_norms
from mspd_jax.models.networks._unet_parts import (
    DDPM_DIALECT,
    IMPROVED_DIALECT,
    Attention,
    GroupNorm,
    TimeEmbedding,
)

pytestmark = pytest.mark.compiling

DRAW = np.random.default_rng(0)


def weights(module, *inputs):
    """Normal variables for a module."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda x: DRAW.normal(size=x.shape).astype(np.float32), shapes)


def test_groups_of_channels_are_normalized_image_by_image():
    images = 3 + 2 * DRAW.standard_normal((2, 3, 4, 6)).astype(np.float32)
    module = GroupNorm(groups=3, epsilon=0.1)
    variables = weights(module, images)
    found = module.apply(variables, images)
    grouped = images.astype(np.float64).reshape(2, 12, 3, 2)
    mean = grouped.mean((1, 3), keepdims=True)
    normal = (grouped - mean) / np.sqrt(grouped.var((1, 3), keepdims=True) + 0.1)
    params = variables["params"]
    expected = normal.reshape(images.shape) * params["scale"] + params["bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    alone = module.apply(variables, images[1])
    np.testing.assert_allclose(alone, expected[1], rtol=1e-4, atol=1e-5)


def test_folding_leaves_norms_without_statistics_alone():
    norm = {"scale": DRAW.random(4), "bias": DRAW.random(4)}
    params = {"norm": norm, "conv": {"kernel": DRAW.random((1, 1, 4, 4))}}
    folded = fold_norms({"block": params, "norm": norm}, {})
    assert folded == {"block": params, "norm": norm}


@pytest.mark.parametrize(
    ("dialect", "rates", "cosine_first"),
    [
        (DDPM_DIALECT, 10_000 ** -(np.arange(4) / 3), False),
        (IMPROVED_DIALECT, 10_000 ** -(np.arange(4) / 4), True),
    ],
)
def test_times_are_read_as_waves(dialect, rates, cosine_first):
    module = TimeEmbedding(8, dialect)
    times = np.asarray([0.0, 1.0, 731.0], np.float32)
    variables = weights(module, times)
    first, second = (variables["params"][name] for name in ("inner", "outer"))
    angles = times[:, None] * rates
    waves = [np.sin(angles), np.cos(angles)]
    waves = np.concatenate(waves[::-1] if cosine_first else waves, axis=1)
    inner = waves @ first["kernel"] + first["bias"]
    inner = inner / (1 + np.exp(-inner))
    expected = inner @ second["kernel"] + second["bias"]
    found = module.apply(variables, times)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_every_place_attends_to_all_others_head_by_head():
    x = DRAW.standard_normal((2, 3, 4)).astype(np.float32)
    module = Attention(groups=1, epsilon=1e-6, heads=2)
    variables = weights(module, x)
    params = jax.tree.map(np.float64, variables["params"])
    normal = (x - x.mean()) / np.sqrt(x.var() + 1e-6)
    normal = normal * params["norm"]["scale"] + params["norm"]["bias"]
    places = normal.reshape(6, 4)
    query, key, value = (
        places @ params[name]["kernel"] + params[name]["bias"]
        for name in ("query", "key", "value")
    )
    seen = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = np.exp(query[:, head] @ key[:, head].T / np.sqrt(2))
        seen.append(scores / scores.sum(1, keepdims=True) @ value[:, head])
    out = np.concatenate(seen, axis=1) @ params["out"]["kernel"] + params["out"]["bias"]
    found = module.apply(variables, x)
    np.testing.assert_allclose(found, x + out.reshape(x.shape), rtol=1e-4, atol=1e-4)
