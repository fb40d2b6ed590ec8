"""The pre-activated ResNet-50: its blocks against NumPy, its size, its options."""

import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax.models._architectures import family_of
from mspd_jax.models.networks._preact_bottleneck import PreactivationBottleneck
from tests.models.networks.numpy_blocks import Parts, drawn, relu
from tests.models.networks.published_sizes import parameters_of

NAME = "preact_bottleneck_resnet50"


# The last one has the shape of its input, so that its shortcut is the identity.
@pytest.mark.parametrize(("channels", "strides"), [(3, 1), (8, 2), (8, 1)])
def test_block_equals_numpy(channels, strides):
    image = np.random.default_rng(1).normal(size=(5, 6, channels)).astype(np.float32)
    block = PreactivationBottleneck(2, strides)
    variables = drawn(block, image)
    parts = Parts(variables)
    active = parts.active(image)
    y = relu(parts.convolve(active, "first"))
    y = relu(parts.convolve(y, "second", strides=strides))
    y = parts.convolve(y, "third")
    same = (channels, strides) == (8, 1)
    assert ("shortcut" in variables["params"]) is not same
    shortcut = image if same else parts.convolve(active, "shortcut", strides=strides)
    found = block.apply(variables, jnp.asarray(image))
    np.testing.assert_allclose(found, y + shortcut, rtol=1e-3, atol=1e-4)


def test_size_is_that_of_its_publisher():
    """As PyTorch counts the parameters of RobustBench's definition."""
    assert parameters_of(NAME, size=32, num_classes=10) == 23_516_874


def test_a_file_tells_blocks_and_width():
    tensors = {"conv1.weight": np.zeros((4, 3, 3, 3))} | {
        f"layer{stage}.{block}.conv1.weight": np.zeros(1)
        for stage, count in enumerate((1, 2, 3, 1), start=1)
        for block in range(count)
    }
    found = family_of(NAME).options_in(tensors)
    assert found == {"width": 4, "blocks": [1, 2, 3, 1]}
