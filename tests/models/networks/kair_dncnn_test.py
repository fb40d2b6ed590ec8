"""DnCNN without normalization: names and sizes of its files, and its values."""

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.plain_cnn_test import convolve, random_tensors

IMAGE = np.random.default_rng(3).random((6, 7, 3), np.float32)
SHAPES = {"0": (4, 3, 3, 3), "2": (4, 4, 3, 3), "4": (3, 4, 3, 3)}


def convert(tmp_path, tensors, prefix="model."):
    path = tmp_path / "net.safetensors"
    save_file({f"{prefix}{name}": tensors[name] for name in tensors}, path)
    return models.convert_torch(path, architecture="kair_dncnn")


def test_it_takes_the_noise_that_it_sees_off(tmp_path):
    tensors = random_tensors(SHAPES)
    model = convert(tmp_path, tensors)
    assert model.spec.options == {"depth": 3, "width": 4}
    x = np.moveaxis(IMAGE, -1, 0).astype(np.float64)
    for name in SHAPES:
        pair = (tensors[f"{name}.{kind}"] for kind in ("weight", "bias"))
        x = convolve(x, *pair, stride=1, padding=1)
        x = x if name == "4" else np.maximum(x, 0)
    restored = models.restorer(model)(jnp.asarray(IMAGE))
    expected = IMAGE - np.moveaxis(x, 0, -1)
    np.testing.assert_allclose(restored, expected, rtol=1e-5, atol=1e-4)


def test_a_file_without_layers_is_refused(tmp_path):
    with pytest.raises(InputError, match="no kair_dncnn: missing: 0.weight"):
        convert(tmp_path, {"head.weight": np.ones((1, 1), np.float32)})
