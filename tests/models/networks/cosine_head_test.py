"""Logits that are cosines, of features of any length."""

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.models.networks._cosine_head import CosineHead

HEAD = CosineHead(3)


def test_logits_are_the_cosines_of_the_angles():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
    lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(kernel, axis=0)
    variables = {"params": {"kernel": jnp.asarray(kernel, jnp.float32)}}
    expected = x @ kernel / lengths
    got = HEAD.apply(variables, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    got = HEAD.apply(variables, jnp.asarray(1e4 * x[0], jnp.float32))
    np.testing.assert_allclose(got, expected[0], rtol=1e-4, atol=1e-6)


def test_features_of_zeros_have_logits_of_zero_and_finite_gradients():
    variables = HEAD.init(jax.random.key(0), jnp.zeros(5))

    def total(variables, x):
        return HEAD.apply(variables, x).sum()

    value, gradients = jax.value_and_grad(total, (0, 1))(variables, jnp.zeros(5))
    assert value == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
