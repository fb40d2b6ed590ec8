"""Likeness of pictures against scikit-image's definition, written out."""

import numpy as np
import pytest
from scipy import ndimage

from mspd_jax.jobs import _likeness
from mspd_jax.jobs._likeness import likeness


def ssim(one, other):
    """Wang et al. 2004: windows of 11 pixels, Gaussian of 1.5, only whole windows."""

    def mean(x):
        smooth = ndimage.gaussian_filter1d(x, 1.5, axis=0, radius=5)
        return ndimage.gaussian_filter1d(smooth, 1.5, axis=1, radius=5)[5:-5, 5:-5]

    mu, nu = mean(one), mean(other)
    var, war = mean(one**2) - mu**2, mean(other**2) - nu**2
    cov = mean(one * other) - mu * nu
    a, b = 0.01**2, 0.03**2
    return np.mean(
        (2 * mu * nu + a) * (2 * cov + b) / ((mu**2 + nu**2 + a) * (var + war + b))
    )


def levels(dtype, shape=(47, 30, 3), seed=0):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    image = rng.uniform(0.2, 0.8, shape)
    changed = image + rng.normal(0, 0.05, shape)
    return tuple(np.rint(x * top).astype(dtype) for x in (image, changed))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("rows", [512, 16])
def test_against_the_definition(monkeypatch, dtype, rows):
    monkeypatch.setattr(_likeness, "_ROWS", rows)
    one, other = levels(dtype)
    a, b = (x / np.iinfo(dtype).max for x in (one, other))
    found = likeness(one, other)
    assert found["largest_change"] == pytest.approx(np.abs(a - b).max(), abs=1e-6)
    assert found["psnr"] == pytest.approx(
        -10 * np.log10(np.mean((a - b) ** 2)), abs=1e-3
    )
    expected = np.mean([ssim(a[..., c], b[..., c]) for c in range(3)])
    assert found["ssim"] == pytest.approx(expected, abs=1e-4)


def test_nothing_changed_and_nothing_to_compare():
    one, _ = levels(np.uint8, (5, 40, 1))
    assert likeness(one, one) == {"largest_change": 0.0, "psnr": None, "ssim": None}
    whole, _ = levels(np.uint8)
    assert likeness(whole, whole)["ssim"] == pytest.approx(1.0)
