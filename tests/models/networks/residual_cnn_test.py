"""Residual networks without normalization: sizes, and values against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.plain_cnn_test import convolve, random_tensors

IMAGE = np.random.default_rng(3).random((8, 8, 3), np.float32)
SHAPES = {
    "conv1": (2, 3, 3, 3),
    "layer1.0.conv1": (3, 2, 3, 3),
    "layer1.0.conv2": (3, 3, 3, 3),
    "layer1.0.shortcut.0": (3, 2, 1, 1),
    "layer1.1.conv1": (3, 3, 3, 3),
    "layer1.1.conv2": (3, 3, 3, 3),
    "layer2.0.conv1": (3, 3, 3, 3),
    "layer2.0.conv2": (3, 3, 3, 3),
    "layer2.0.shortcut.0": (3, 3, 1, 1),
    "linear1": (4, 3),
    "linear2": (5, 4),
}
PLAIN = {"mean": (0.0,) * 3, "std": (1.0,) * 3}


def reference(tensors):
    def conv(x, name, stride=1, padding=1):
        pair = (tensors[f"{name}.{kind}"] for kind in ("weight", "bias"))
        return convolve(x, *pair, stride=stride, padding=padding)

    def block(x, name, stride):
        y = np.maximum(conv(x, f"{name}.conv1", stride), 0)
        if f"{name}.shortcut.0.weight" in tensors:
            x = conv(x, f"{name}.shortcut.0", stride, 0)
        return np.maximum(x + conv(y, f"{name}.conv2"), 0)

    x = np.maximum(conv(np.moveaxis(IMAGE, -1, 0).astype(np.float64), "conv1", 2), 0)
    x = block(block(x, "layer1.0", 2), "layer1.1", 1)
    x = block(x, "layer2.0", 2)
    x = np.maximum(tensors["linear1.weight"] @ x.ravel() + tensors["linear1.bias"], 0)
    return tensors["linear2.weight"] @ x + tensors["linear2.bias"]


def convert(tmp_path, tensors, **more):
    save_file(tensors, tmp_path / "net.safetensors")
    form = {"architecture": "residual_cnn", "image_shape": (8, 8, 3)} | PLAIN
    return models.convert_torch(tmp_path / "net.safetensors", **form, **more)


def test_sizes_and_logits_are_those_of_the_file(tmp_path):
    tensors = random_tensors(SHAPES)
    model = convert(tmp_path, tensors)
    sizes = {"stem": 2, "widths": [3, 3], "blocks": [2, 1], "dense": [4]}
    assert model.spec.options == sizes
    logits = models.predictor(model)(jnp.asarray(IMAGE))
    np.testing.assert_allclose(logits, reference(tensors), rtol=1e-5, atol=1e-4)


def test_what_does_not_fit_is_refused(tmp_path):
    tensors = random_tensors(SHAPES)
    with pytest.raises(InputError, match="widths, blocks must be equally many"):
        convert(tmp_path, tensors, options={"widths": [3]})
    del tensors["conv1.weight"]
    with pytest.raises(InputError, match="no residual_cnn: missing: conv1.weight"):
        convert(tmp_path, tensors)
