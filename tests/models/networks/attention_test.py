"""Attention, norms of channels and patches against their definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from mspd_jax.models.networks import fold_norms
from mspd_jax.models.networks._attention import Attention, LayerNorm, gelu


def _draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class AttentionTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_each_head_is_a_weighted_mean_of_values(self, biased):
        heads, count, channels = 2, 5, 6
        x = _draw(3, count, channels)
        bias = _draw(heads, count, count, seed=1) if biased else None
        module = Attention(heads)
        params = {
            "qkv": {"kernel": _draw(6, 18, seed=2), "bias": _draw(18, seed=3)},
            "proj": {"kernel": _draw(6, 6, seed=4), "bias": _draw(6, seed=5)},
        }
        actual = module.apply({"params": params}, x, bias)
        qkv = x @ params["qkv"]["kernel"] + params["qkv"]["bias"]
        expected = np.zeros_like(x)
        for head in range(heads):
            # Channels in order: of query, key and value; of heads; within a head.
            q, k, v = (
                qkv[..., start + 3 * head : start + 3 * head + 3]
                for start in (0, 6, 12)
            )
            scores = np.einsum("bnd,bmd->bnm", q, k) / np.sqrt(3)
            weights = np.exp(scores + (bias[head] if biased else 0))
            weights /= weights.sum(-1, keepdims=True)
            expected[..., 3 * head : 3 * head + 3] = weights @ v
        expected = expected @ params["proj"]["kernel"] + params["proj"]["bias"]
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


class LayerNormTest(parameterized.TestCase):
    def test_mean_and_variance_are_of_the_channels(self):
        x, scale, bias = _draw(2, 3, 8) + 5, _draw(8, seed=1), _draw(8, seed=2)
        params = {"scale": scale, "bias": bias}
        actual = LayerNorm(0.1).apply({"params": params}, x)
        wide = x.astype(np.float64)
        centered = wide - wide.mean(-1, keepdims=True)
        expected = centered / np.sqrt(wide.var(-1, keepdims=True) + 0.1) * scale + bias
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)

    def test_folding_leaves_it_alone(self):
        norm = {"scale": jnp.full(2, 3.0), "bias": jnp.full(2, 5.0)}
        params = {
            "conv": {"kernel": jnp.full((1, 1, 2, 2), 7.0)},
            "norm": norm,
            "inner": {"norm": norm, "scale": jnp.full(2, 11.0)},
        }
        folded = fold_norms(params, {})
        jax.tree.map(np.testing.assert_array_equal, folded, params)


def test_gelu_is_exact():
    """x Phi(x) at 1 and 3; the usual approximation is 2e-4 away from it."""
    np.testing.assert_allclose(
        gelu(jnp.array([1.0, 3.0])), [0.8413447, 2.9959503], rtol=1e-6
    )


if __name__ == "__main__":
    absltest.main()
