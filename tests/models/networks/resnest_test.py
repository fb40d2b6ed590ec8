"""ResNeSts: the attention by hand, means of odd sides, sizes, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models.networks._resnest import (
    RADIX,
    ResNeStBlock,
    SplitAttention,
    halved,
)
from tests.models.networks.cifar10_networks import spec

FEATURES = 8


def silu(x):
    return x / (1 + np.exp(-x))


def test_attention_weighs_the_maps_of_a_channel_by_the_whole_image():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, FEATURES))
    middle, bias = rng.normal(size=(2, 4 * FEATURES)), rng.normal(size=4 * FEATURES)
    # Of a 3x3 kernel the middle alone, so that each place stands for itself.
    kernel = np.zeros((3, 3, 2, 4 * FEATURES))
    kernel[1, 1] = middle
    down, up = rng.normal(size=(FEATURES, 32)), rng.normal(size=(32, 4 * FEATURES))
    biases = rng.normal(size=32), rng.normal(size=4 * FEATURES)
    params = {
        "maps": {"conv": {"kernel": kernel, "bias": bias}},
        "squeeze": {"conv": {"kernel": down[None, None], "bias": biases[0]}},
        "scores": {"kernel": up[None, None], "bias": biases[1]},
    }
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
    maps = [
        # A map reads a quarter of the channels: two of them.
        silu(x[..., 2 * r : 2 * r + 2] @ middle[:, part] + bias[part])
        for r, part in enumerate(np.split(np.arange(4 * FEATURES), 4))
    ]
    hidden = silu(sum(maps).mean((0, 1)) @ down + biases[0])
    scores = np.exp((hidden @ up + biases[1]).reshape(4, FEATURES))
    weights = scores / scores.sum(0)
    expected = sum(w * y for w, y in zip(weights, maps, strict=True))
    module = SplitAttention(FEATURES, folded=True)
    got = module.apply({"params": params}, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (1, 3)])
def test_halved_takes_the_mean_of_the_pixels_that_there_are(size):
    x = np.random.default_rng(1).random((2, *size, 3), np.float32)
    height, width = (-(-side // 2) for side in size)
    expected = np.zeros((2, height, width, 3))
    for row in range(height):
        for column in range(width):
            window = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            expected[:, row, column] = window.mean((1, 2))
    for images, wanted in ((x, expected), (x[0], expected[0])):
        np.testing.assert_allclose(halved(jnp.asarray(images)), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("channels", "strides", "shortcut"),
    [(16, 1, False), (8, 1, True), (16, 2, True)],
)
def test_a_block_that_changes_the_shape_has_a_shortcut(channels, strides, shortcut):
    block = ResNeStBlock(4, strides)
    x = jax.ShapeDtypeStruct((5, 8, channels), "float32")
    out, shapes = jax.eval_shape(block.init_with_output, jax.random.key(0), x)
    assert out.shape == ((5, 8, 16) if strides == 1 else (3, 4, 16))
    assert ("shortcut" in shapes["params"]) == shortcut


def test_what_pads_a_map_counts_in_the_means_of_nine():
    """The corner of a strided block has four ninths of what the middle has."""
    block = ResNeStBlock(4, 2, folded=True)
    x = jnp.ones((5, 5, 4))
    shapes = jax.eval_shape(block.init, jax.random.key(0), x)["params"]
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    # All maps are one everywhere (silu(1.2785) = 1), and so is the last convolution.
    params["second"]["maps"]["conv"]["bias"] += 1.2784645
    params["third"]["conv"]["kernel"] += 0.25
    out = block.apply({"params": params}, x)[..., 0]
    expected = silu(np.outer([2, 3, 2], [2, 3, 2]) / 9)
    np.testing.assert_allclose(out, expected, rtol=1e-5)


@pytest.mark.parametrize(("width", "narrow"), [(4, 32), (64, 64)])
def test_channels_of_the_stem_and_of_the_attention(width, narrow):
    options = {"width": width, "blocks": [1, 1, 1, 1]}
    module = models.build_module(spec("resnest50", **options))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    stem = [shapes[f"stem{n}"]["conv"]["kernel"].shape[-1] for n in range(3)]
    assert stem == [width, width, 2 * width]
    attention = shapes["stage0_block0"]["second"]
    assert attention["maps"]["conv"]["kernel"].shape[2:] == (width // 4, RADIX * width)
    assert attention["squeeze"]["conv"]["kernel"].shape[2:] == (width, narrow)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("resnest50", 16), ("resnest101", 33), ("resnest152", 50)],
)
def test_blocks_of_each_depth(name, blocks):
    layers = models.build_module(spec(name)).layers()
    assert list(layers)[:4] == ["stem0", "stem1", "stem2", "stage0_block0"]
    assert len(layers) == 3 + blocks
    assert layers["stage3_block2"].features == 8 * 64


@pytest.mark.parametrize("name", ["resnest", "resnest34", "resnest200"])
def test_other_names_do_not_exist(name):
    with pytest.raises(InputError, match="does not exist"):
        models.parse_architecture(name)
