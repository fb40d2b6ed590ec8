"""Maxima over windows against `lax.reduce_window`: values, derivatives, ties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mspd_jax.convolution import max_pool

DRAW = np.random.default_rng(0)
# Shape, window, strides, padding.
CASES = {
    "halves": ((2, 6, 8, 3), (1, 2, 2, 1), (1, 2, 2, 1), [(0, 0)] * 4),
    "overlaps": (
        *((2, 7, 9, 3), (1, 3, 3, 1), (1, 2, 2, 1)),
        [(0, 0), (1, 1), (1, 1), (0, 0)],
    ),
    "channels first": (
        *((1, 2, 6, 5), (1, 1, 3, 2), (1, 1, 2, 1)),
        [(0, 0), (0, 0), (1, 0), (0, 1)],
    ),
    "one axis": ((2, 3, 11), (1, 1, 4), (1, 1, 3), [(0, 0), (0, 0), (2, 1)]),
    "too large": ((1, 9, 9, 2), (1, 6, 6, 1), (1, 3, 3, 1), [(0, 0)] * 4),
}


def by_lax(x, window, strides, padding):
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_lax(case):
    shape, *settings = CASES[case]
    # Of few levels: windows have equal maxima, of which the first counts.
    x = jnp.asarray(DRAW.integers(-2, 3, shape), jnp.float32)
    results, pull = jax.vjp(lambda x: max_pool(x, *settings), x)
    expected, pull_by_lax = jax.vjp(lambda x: by_lax(x, *settings), x)
    np.testing.assert_array_equal(results, expected)
    cotangent = jnp.asarray(DRAW.standard_normal(results.shape), jnp.float32)
    np.testing.assert_allclose(
        pull(cotangent)[0], pull_by_lax(cotangent)[0], rtol=1e-6, atol=1e-6
    )


def test_both_modes_of_second_order():
    shape, *settings = CASES["overlaps"]
    x, v = (jnp.asarray(DRAW.standard_normal(shape), jnp.float32) for _ in range(2))

    def loss(x):
        return jnp.sum(max_pool(x, *settings) ** 3)

    forward = jax.jvp(jax.grad(loss), (x,), (v,))[1]
    reverse = jax.grad(lambda x: jnp.vdot(jax.grad(loss)(x), v))(x)
    step = 1e-3
    slope = (jax.grad(loss)(x + step * v) - jax.grad(loss)(x - step * v)) / (2 * step)
    np.testing.assert_allclose(forward, reverse, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(forward, slope, rtol=1e-2, atol=2e-2)


def test_the_gradient_is_no_search_through_windows():
    """What XLA compiles its own to, one window after the other."""
    shape, *settings = CASES["overlaps"]
    compiled = jax.jit(jax.grad(lambda x: jnp.sum(max_pool(x, *settings))))
    text = compiled.lower(jnp.zeros(shape)).as_text()
    assert "select_and_scatter" not in text


def test_integers_have_maxima_too():
    x = jnp.arange(12).reshape(1, 3, 4, 1)
    found = max_pool(x, (1, 2, 2, 1), (1, 1, 2, 1), [(0, 0)] * 4)
    assert found.ravel().tolist() == [5, 7, 9, 11]
