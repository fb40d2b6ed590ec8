"""Residual blocks: their shortcuts, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax.models.networks._blocks import (
    BasicBlock,
    Bottleneck,
    Gate,
    padded_shortcut,
)

X = np.random.default_rng(0).random((6, 6, 2), np.float32)


def names_of(block, **options):
    variables = jax.eval_shape(block.init, jax.random.key(0), X, **options)
    return set(variables["params"])


def silenced(block):
    """The block's variables with a residual branch of zeros, and one for the rest."""
    variables = block.init(jax.random.key(0), X)
    last = "third" if isinstance(block, Bottleneck) else "second"
    scale = variables["params"][last]["norm"]["scale"]
    variables["params"][last]["norm"]["scale"] = jnp.zeros_like(scale)
    return variables


class ShortcutTest(parameterized.TestCase):
    def test_padded_is_every_second_pixel_and_channels_of_zeros(self):
        block = BasicBlock(5, 2, padded_shortcut)
        got = block.apply(silenced(block), X)
        want = np.zeros((3, 3, 5), np.float32)
        want[..., 1:3] = X[::2, ::2]
        np.testing.assert_array_equal(got, want)
        self.assertEqual(names_of(block), {"first", "second"})

    @parameterized.parameters(BasicBlock, Bottleneck)
    def test_projected_is_a_pointwise_convolution(self, kind):
        block = kind(2, 2)
        variables = silenced(block)
        got = block.apply(variables, X)
        kernel = variables["params"]["shortcut"]["conv"]["kernel"][0, 0]
        want = np.maximum(X[::2, ::2] @ np.asarray(kernel) / np.sqrt(1 + 1e-5), 0)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)

    def test_there_is_none_where_the_shape_stays(self):
        block = BasicBlock(2, 1)
        self.assertEqual(names_of(block), {"first", "second"})
        np.testing.assert_array_equal(block.apply(silenced(block), X), X)

    def test_it_loses_what_the_branch_does_not_pad(self):
        block = Bottleneck(2, 1, padding="VALID")
        self.assertEqual(block.apply(silenced(block), X).shape, (4, 4, 8))


def test_a_gate_scales_each_channel_by_what_the_means_say():
    rng = np.random.default_rng(1)
    down, up = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    biases = rng.normal(size=3), rng.normal(size=2)
    variables = {
        "first": {"kernel": down[None, None], "bias": biases[0]},
        "second": {"kernel": up[None, None], "bias": biases[1]},
    }
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), variables)
    hidden = np.maximum(X.mean((0, 1)) @ down + biases[0], 0)
    factors = 1 / (1 + np.exp(-(hidden @ up + biases[1])))
    got = Gate(3, jax.nn.relu).apply({"params": variables}, jnp.asarray(X))
    np.testing.assert_allclose(got, X * factors, rtol=1e-5)


@pytest.mark.parametrize(
    ("groups", "width", "kernel"),
    [(1, 64, (3, 3, 64, 64)), (4, 32, (3, 3, 32, 128)), (1, 128, (3, 3, 128, 128))],
)
def test_the_middle_of_a_bottleneck_is_as_wide_as_its_groups(groups, width, kernel):
    block = Bottleneck(64, 1, groups=groups, group_width=width)
    shapes = jax.eval_shape(block.init, jax.random.key(0), X)["params"]
    assert shapes["second"]["conv"]["kernel"].shape == kernel
    assert shapes["third"]["conv"]["kernel"].shape == (1, 1, kernel[-1], 256)
