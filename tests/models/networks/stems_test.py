"""Patches: the convolution that they stand for."""

import jax
import numpy as np

from mspd_jax.models.networks._stems import Patches


def test_patches_equal_a_strided_convolution():
    draw = np.random.default_rng(0)
    images = draw.normal(size=(2, 9, 14, 3)).astype(np.float32)
    params = {
        "kernel": draw.normal(size=(4, 4, 3, 5)).astype(np.float32),
        "bias": draw.normal(size=5).astype(np.float32),
    }
    actual = Patches(5, 4).apply({"params": params}, images)
    layout = ("NHWC", "HWIO", "NHWC")
    expected = jax.lax.conv_general_dilated(
        images, params["kernel"], (4, 4), "VALID", dimension_numbers=layout
    )
    assert actual.shape == (2, 2, 3, 5)
    np.testing.assert_allclose(
        actual, np.asarray(expected) + params["bias"], rtol=1e-4, atol=1e-4
    )
    one = Patches(5, 4).apply({"params": params}, images[0])
    np.testing.assert_allclose(one, actual[0], rtol=1e-5, atol=1e-5)
