"""RaWRN-101-2: its block by hand, its gates, the halving of maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models.networks._gated_bottleneck import GatedBottleneck
from tests.models.networks.published_sizes import parameters_of

SMALL = {"blocks": [1, 2, 1, 1], "widths": [16, 24, 32, 48]}


def spec(size, **options):
    shape = (*size, 3)
    return models.ModelSpec(
        "ra_wrn101_2", options, (0.0,) * 3, (1.0,) * 3, 5, shape, {}
    )


def silu(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("channels", [16, 8])
def test_a_block_by_hand(channels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, channels))
    # Four channels inside, in two groups; the gate from a quarter of the input's.
    sizes = {"a": (channels, 4), "b": (2, 4), "c": (4, 16), "s": (channels, 16)}
    sizes |= {"down": (4, channels // 4), "up": (channels // 4, 4)}
    kernels = {name: rng.normal(size=size) for name, size in sizes.items()}
    biases = {name: rng.normal(size=size[-1]) for name, size in sizes.items()}
    middle = np.zeros((3, 3, 2, 4))
    middle[1, 1] = kernels["b"]

    def layer(name, kernel=None):
        kernel = kernels[name][None, None] if kernel is None else kernel
        return {"kernel": kernel, "bias": biases[name]}

    params = {
        "first": {"kernel": kernels["a"][None, None]},
        "second": {"conv": layer("b", middle)},
        "gate": {"first": layer("down"), "second": layer("up")},
        "third": {"conv": layer("c")},
    }
    shortcut = x
    if channels != 16:
        params["shortcut"] = {"conv": layer("s")}
        shortcut = x @ kernels["s"] + biases["s"]
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
    y = silu(x @ kernels["a"])
    halves = [y[..., :2] @ kernels["b"][:, :2], y[..., 2:] @ kernels["b"][:, 2:]]
    y = silu(np.concatenate(halves, axis=-1) + biases["b"])
    hidden = np.maximum(y.mean((0, 1)) @ kernels["down"] + biases["down"], 0)
    y = y / (1 + np.exp(-(hidden @ kernels["up"] + biases["up"])))
    expected = silu(shortcut + y @ kernels["c"] + biases["c"])
    block = GatedBottleneck(16, 1, folded=True)
    got = block.apply({"params": params}, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_every_stage_halves_the_map():
    module = models.build_module(spec((64, 50), **SMALL))
    image = jax.ShapeDtypeStruct((64, 50, 3), "float32")

    def map_of(last):
        made, _ = jax.eval_shape(
            lambda x: module.init_with_output(jax.random.key(0), x, span=(None, last)),
            image,
        )
        return made.shape

    assert map_of("stem") == (32, 25, 96)
    assert map_of("stage0_block0") == (16, 13, 16)
    assert map_of("stage1_block1") == (8, 7, 24)
    assert map_of("stage3_block0") == (2, 2, 48)


def test_a_gate_is_as_narrow_as_the_input_of_its_block_says():
    module = models.build_module(spec((32, 32), **SMALL))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    gates = [
        shapes[name]["gate"]["first"]["kernel"].shape[-1]
        for name in ("stage0_block0", "stage1_block0", "stage1_block1")
    ]
    assert gates == [24, 4, 6]


@pytest.mark.compiling
def test_size_is_that_of_the_published_definition():
    count = parameters_of("ra_wrn101_2", size=64, num_classes=1000)
    assert count == 104_065_776
