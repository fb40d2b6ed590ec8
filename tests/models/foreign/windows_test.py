"""Windows against sums written out, and against the adjoint."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax.models.foreign import _windows as windows

DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((2, 4, 7, 6)).astype(np.float32)
close = np.testing.assert_allclose


@pytest.mark.parametrize(("groups", "dilations"), [(1, (1, 1)), (2, (2, 1))])
def test_convolve_and_its_adjoint(groups, dilations):
    kernel = DRAW.standard_normal((6, 4 // groups, 3, 2)).astype(np.float32)
    shared = {
        "strides": (2, 1),
        "pads": [(1, 2), (0, 1)],
        "dilations": dilations,
        "groups": groups,
    }
    found = windows.convolve(X, kernel, **shared)
    padded = np.pad(X, [(0, 0), (0, 0), (1, 2), (0, 1)])
    want = np.zeros(found.shape)
    for i, j in itertools.product(*map(range, found.shape[2:])):
        rows = 2 * i + dilations[0] * np.arange(3)
        patch = padded[:, :, rows][..., j + dilations[1] * np.arange(2)]
        for k in range(6):
            g = k // (6 // groups) * (4 // groups)
            want[:, k, i, j] = np.einsum(
                "nchw,chw->n", patch[:, g : g + 4 // groups], kernel[k]
            )
    close(found, want, rtol=1e-4, atol=1e-5)
    cotangent = DRAW.standard_normal(found.shape).astype(np.float32)
    adjoint = jax.vjp(lambda x: windows.convolve(x, kernel, **shared), X)[1]
    smallest = windows.convolve_transposed(cotangent, kernel, extra=(0, 0), **shared)
    extra = [a - b for a, b in zip(X.shape[2:], smallest.shape[2:], strict=True)]
    assert max(extra) == 1  # a stride of 2 leaves a row open
    mine = windows.convolve_transposed(cotangent, kernel, extra=extra, **shared)
    close(mine, adjoint(cotangent)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("counted", [False, True])
def test_means_over_windows_that_hang_over(counted):
    size, strides, pads = (3, 3), (2, 3), [(1, 1), (1, 0)]
    options = {"strides": strides, "pads": pads}
    over = windows.overhang_of((7, 6), size, dilations=(1, 1), **options)
    assert over == [0, 2]
    found = windows.pool_mean(X, size, overhang=over, count_padding=counted, **options)
    assert found.shape == (2, 4, 4, 3)
    for i, j in itertools.product(range(4), range(3)):
        top, left = 2 * i - 1, 3 * j - 1
        part = X[:, :, max(top, 0) : top + 3, max(left, 0) : left + 3]
        count = part.shape[2] * part.shape[3]
        if counted:  # the padding, but not what hangs over it
            count = (min(top + 3, 8) - top) * (min(left + 3, 6) - left)
        close(found[:, :, i, j], part.sum((2, 3)) / count, rtol=1e-5, atol=1e-6)
    by_five = windows.pool_mean(
        X, size, overhang=over, count_padding=counted, divisor=5, **options
    )
    close(by_five[:, :, 1, 1], X[:, :, 1:4, 2:5].sum((2, 3)) / 5, rtol=1e-5, atol=1e-6)


def test_a_window_that_would_start_behind_the_image_is_left_out():
    options = {"strides": (3,), "pads": [(0, 1)], "dilations": (1,)}
    assert windows.overhang_of((6,), (1,), **options) == [0]  # starts 0, 3, not 6
    assert windows.overhang_of((7,), (3,), **options) == [1]  # starts 0, 3, 6


def test_maxima_do_not_see_the_padding():
    found = windows.pool_max(
        -1 - np.abs(X), (2, 2), strides=(2, 2), pads=[(1, 0), (0, 0)], dilations=(1, 1)
    )
    close(found[:, :, 0, 0], (-1 - np.abs(X))[:, :, 0, :2].max(-1))
    whole = np.arange(6).reshape(1, 1, 6)
    options = {"strides": (1,), "pads": [(0, 0)], "dilations": (3,)}
    found = windows.pool_max(jnp.asarray(whole), (2,), **options)
    np.testing.assert_array_equal(found[0, 0], [3, 4, 5])


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("sizes", [(7, 3), (3, 4), (1, 9)])
def test_adaptive_pools(sizes, reduce):
    found = windows.pool_adaptive(jnp.asarray(X), sizes, reduce)
    for i, j in itertools.product(*map(range, sizes)):
        h = slice(i * 7 // sizes[0], -(-(i + 1) * 7 // sizes[0]))
        w = slice(j * 6 // sizes[1], -(-(j + 1) * 6 // sizes[1]))
        want = getattr(X[:, :, h, w], reduce)((2, 3))
        close(found[:, :, i, j], want, rtol=1e-5, atol=1e-6)
