"""FFDNet: it reads sigma, blocks of pixels, and any size; values against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks.plain_cnn_test import convolve, random_tensors

SHAPES = {"0": (5, 13, 3, 3), "2": (5, 5, 3, 3), "4": (12, 5, 3, 3)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("ffdnet") / "net.safetensors"
    tensors = random_tensors(SHAPES)
    save_file({f"model.{name}": tensors[name] for name in tensors}, path)
    return models.convert_torch(path, architecture="ffdnet")


def reference(image, sigma):
    """Channels first, as in PyTorch: 4 c + 2 i + j is pixel (i, j) of the blocks."""
    tensors = random_tensors(SHAPES)
    x = np.moveaxis(image, -1, 0).astype(np.float64)
    _, height, width = x.shape
    x = np.pad(x, [(0, 0), (0, height % 2), (0, width % 2)], mode="edge")
    blocks = [x[c, i::2, j::2] for c in range(3) for i in range(2) for j in range(2)]
    y = np.stack([*blocks, np.full_like(blocks[0], sigma)])
    for name in SHAPES:
        pair = (tensors[f"{name}.{kind}"] for kind in ("weight", "bias"))
        y = convolve(y, *pair, stride=1, padding=1)
        y = y if name == "4" else np.maximum(y, 0)
    out = np.zeros_like(x)
    for channel, block in enumerate(y):
        c, i, j = channel // 4, channel // 2 % 2, channel % 2
        out[c, i::2, j::2] = block
    return np.moveaxis(out[:, :height, :width], 0, -1)


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
@pytest.mark.parametrize("sigma", [0.0, 0.25])
def test_values_are_those_of_the_reference(model, size, sigma):
    assert model.spec.options == {"depth": 3, "width": 5}
    image = np.random.default_rng(1).random((*size, 3), np.float32)
    restored = jax.jit(models.restorer(model, sigma=sigma))(jnp.asarray(image))
    expected = reference(image, sigma)
    np.testing.assert_allclose(restored, expected, rtol=1e-5, atol=1e-4)


def test_it_must_be_told_the_noise(model):
    with pytest.raises(InputError, match="a ffdnet is told a `sigma`: give one"):
        models.restorer(model)
    assert models.takes_any_noise(model.spec)


def test_another_sigma_compiles_nothing(model):
    traced = []

    @jax.jit
    def run(restore, image):
        traced.append(1)
        return restore(image)

    image = jnp.zeros((4, 4, 3))
    for sigma in (0.1, 0.2):
        run(models.restorer(model, sigma=sigma), image)
    assert len(traced) == 1
