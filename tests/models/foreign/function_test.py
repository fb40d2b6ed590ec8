"""What foreign networks share, on a network of one line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax.errors import InputError
from mspd_jax.models.foreign._function import image_function

IMAGE = np.random.default_rng(0).random((2, 3, 2), np.float32)


def network(weights, x):
    return jnp.einsum("nchw,chwk->nk", x, weights["kernel"])


KERNEL = np.random.default_rng(1).random((2, 2, 3, 4), np.float32)


def function(shape=None, mean=None, std=None):
    weights = {"kernel": KERNEL}
    options = {"fingerprint": "net", "shape": shape, "mean": mean, "std": std}
    return image_function(network, weights, "a net", **options)


def test_normalizes_and_moves_channels_first():
    predict = function((2, 3, 2), mean=(0.5, 0.25), std=(0.5, 0.2))
    x = (IMAGE - np.float32([0.5, 0.25])) / np.float32([0.5, 0.2])
    want = np.einsum("hwc,chwk->k", x, KERNEL)
    np.testing.assert_allclose(jax.jit(predict)(IMAGE), want, rtol=1e-5)
    assert len(jax.tree.leaves(predict)) == 3
    assert function()(IMAGE).shape == (4,)


@pytest.mark.parametrize(
    ("options", "image", "said"),
    [
        ({"mean": (0.5, 0.5)}, IMAGE, "go together"),
        ({"shape": (2, 3, 2), "mean": (0.5,), "std": (1,)}, IMAGE, "each channel"),
        ({"mean": (0.5,), "std": (1,)}, IMAGE, "1 channels for an image of 2"),
        ({"mean": (127.0,) * 2, "std": (64.0,) * 2}, IMAGE, "by 255"),
        ({"mean": (0.5,) * 2, "std": (0.0,) * 2}, IMAGE, "by 255"),
        ({"shape": (3, 2, 2)}, IMAGE, r"\(2, 3, 2\) for a net, which reads 3x2x2"),
        ({}, IMAGE[0], r"\(3, 2\) for a net, which reads \[H, W, C\]"),
    ],
)
def test_refused(options, image, said):
    with pytest.raises(InputError, match=said):
        function(**options)(image)
