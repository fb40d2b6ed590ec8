"""Convolutions and dense layers in a row, against NumPy and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import signal

from mspd_jax import models
from mspd_jax.errors import InputError

IMAGE = np.random.default_rng(3).random((9, 9, 2), np.float32)
OPTIONS = {"strides": [2, 1], "paddings": [1, 0]}
# Of a Sequential: conv 4x4, ReLU, conv 3x3, ReLU, Flatten, dense, ReLU, dense.
SHAPES = {"0": (4, 2, 4, 4), "2": (3, 4, 3, 3), "5": (6, 3 * 2 * 2), "7": (5, 6)}


def random_tensors(shapes):
    """Weights and biases of these names."""
    rng = np.random.default_rng(0)
    tensors = {f"{name}.weight": rng.normal(size=shapes[name]) for name in shapes}
    tensors |= {f"{name}.bias": rng.normal(size=shapes[name][0]) for name in shapes}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def convolve(x, kernel, bias, *, stride, padding):
    """[C, H, W] with [out, C, k, k] -> [out, h, w], with zeros around."""
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
    rows = [
        sum(signal.correlate2d(x[c], plane[c], mode="valid") for c in range(len(x)))
        for plane in kernel
    ]
    return np.stack(rows)[:, ::stride, ::stride] + bias[:, None, None]


def reference(tensors):
    """In PyTorch's order: channels first, also where the map becomes a vector."""
    x = np.moveaxis(IMAGE, -1, 0).astype(np.float64)
    for name, stride, padding in (("0", 2, 1), ("2", 1, 0)):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        x = np.maximum(convolve(x, weight, bias, stride=stride, padding=padding), 0)
    x = np.maximum(tensors["5.weight"] @ x.ravel() + tensors["5.bias"], 0)
    return tensors["7.weight"] @ x + tensors["7.bias"]


def convert(tmp_path, **more):
    path = tmp_path / "net.safetensors"
    save_file(random_tensors(SHAPES), path)
    return models.convert_torch(
        path, architecture="plain_cnn", image_shape=(9, 9, 2), **more
    )


def test_logits_are_those_of_the_reference(tmp_path):
    model = convert(tmp_path, options=OPTIONS)
    widths = {"channels": [4, 3], "kernels": [4, 3], "dense": [6]}
    assert model.spec.options == widths | OPTIONS
    logits = models.predictor(model)(jnp.asarray(IMAGE))
    expected = reference(random_tensors(SHAPES))
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-4)


def test_usual_strides_and_paddings_are_assumed_and_misfits_named(tmp_path):
    with pytest.raises(InputError, match=r"5.weight \(6, 12\) instead of \(6, 48\)"):
        convert(tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"strides": [2]}, "must be equally many, got 2, 2, 1, 2"),
        ({"strides": [0, 1]}, "strides must be a list of positive integers"),
        ({"paddings": [-1, 1]}, "paddings must be a list of integers >= 0"),
        ({"widths": [1]}, "has no option"),
    ],
)
def test_unfit_options_are_refused(tmp_path, options, expected):
    with pytest.raises(InputError, match=expected):
        convert(tmp_path, options=options)


def test_an_image_of_another_size_is_refused(tmp_path):
    predict = models.predictor(convert(tmp_path, options=OPTIONS))
    with pytest.raises(InputError, match="made for another size than 12x9"):
        predict(jnp.zeros((12, 9, 2)))
