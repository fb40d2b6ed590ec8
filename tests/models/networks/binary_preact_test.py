"""PreAct ResNets of binary tickets: blocks against NumPy, size, files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.models.networks._binary_preact import UnscaledBlock
from tests.models.conversion.small_files import refusal
from tests.models.networks.numpy_blocks import Parts, drawn, relu
from tests.models.networks.published_sizes import parameters_of

NAME = "binary_preact_resnet18"
SMALL = {"blocks": [1, 1, 1, 1], "widths": [2, 3, 4, 5]}


# The last one has the shape of its input: its shortcut is the activated one all the
# same.
@pytest.mark.parametrize(("channels", "strides"), [(3, 1), (4, 2), (4, 1)])
def test_block_equals_numpy(channels, strides):
    image = np.random.default_rng(1).normal(size=(5, 6, channels)).astype(np.float32)
    block = UnscaledBlock(4, strides)
    variables = drawn(block, image)
    parts = Parts(variables)
    active = shortcut = parts.active(image)
    y = relu(parts.convolve(active, "first", strides=strides))
    y = parts.convolve(y, "second")
    if "shortcut" in variables["params"]:
        shortcut = parts.convolve(active, "shortcut", strides=strides)
    assert ("shortcut" in variables["params"]) is ((channels, strides) != (4, 1))
    found = block.apply(variables, jnp.asarray(image))
    np.testing.assert_allclose(found, y + shortcut, rtol=1e-3, atol=1e-4)


def test_size_is_that_of_its_publisher():
    """As PyTorch counts the parameters of RobustBench's definition."""
    assert parameters_of(NAME, size=32, num_classes=10) == 24_868_032


def state():
    """A state dict by the publisher's names, with what chose the weights."""
    rng, tensors = np.random.default_rng(0), {}

    def add(name, shape):
        tensors[f"{name}.weight"] = rng.normal(size=shape)
        tensors[f"{name}.scores"] = rng.normal(size=shape)

    def moments(name, width):
        tensors[f"{name}.running_mean"] = rng.normal(size=width)
        tensors[f"{name}.running_var"] = rng.uniform(0.5, 2, width)

    widths = SMALL["widths"]
    add("conv1", (widths[0], 3, 3, 3))
    moments("bn1", widths[-1])
    inputs = widths[0]
    for stage, width in enumerate(widths, start=1):
        block = f"layer{stage}.0"
        add(f"{block}.conv1", (width, inputs, 3, 3))
        add(f"{block}.conv2", (width, width, 3, 3))
        moments(f"{block}.bn1", inputs)
        moments(f"{block}.bn2", width)
        if stage > 1:
            add(f"{block}.shortcut.0", (width, inputs, 1, 1))
            moments(f"{block}.shortcut.1", width)
        inputs = width
    add("fc", (7, inputs, 1, 1))
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def convert(tmp_path, tensors):
    save_file(tensors, tmp_path / "net.safetensors")
    return models.convert_torch(tmp_path / "net.safetensors", architecture=NAME)


def test_a_file_is_read_without_its_scores(tmp_path):
    tensors = state()
    model = convert(tmp_path, tensors)
    assert (model.spec.options, model.spec.num_classes) == (SMALL, 7)
    head = model.variables["params"]["head"]
    assert list(head) == ["kernel"]
    np.testing.assert_array_equal(head["kernel"], tensors["fc.weight"][..., 0, 0].T)
    last = model.variables["batch_stats"]["norm"]["mean"]
    np.testing.assert_array_equal(last, tensors["bn1.running_mean"])


def test_folded_form_equals_training_form(tmp_path):
    model = convert(tmp_path, state())
    image = np.random.default_rng(2).random((8, 8, 3), np.float32)
    normal = (image - np.float32(model.spec.mean)) / np.float32(model.spec.std)
    module = models.build_module(model.spec)
    want = jax.jit(module.apply)(model.variables, jnp.asarray(normal))
    found = jax.jit(models.predictor(model))(jnp.asarray(image))
    scale = np.abs(want).max()
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * scale)


def test_a_classifier_that_is_no_point_is_refused(tmp_path):
    tensors = state() | {"fc.weight": np.zeros((7, 5, 2, 2), np.float32)}
    assert "no classifier fc.weight" in refusal(convert, tmp_path, tensors)
