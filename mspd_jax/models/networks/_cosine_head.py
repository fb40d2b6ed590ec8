"""A last layer whose logits are cosines (Pang et al. 2020, arXiv 2002.08619)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

# What a length is at least, as in PyTorch.
_LEAST = 1e-12


class CosineHead(nn.Module):
    """Cosines of the angles between the features and the weights of each class.

        <x, w_k> / (|x| |w_k|):  [..., features] -> [..., num_classes]

    Deviation: the gradient in the weights is that of the whole formula; the authors
    write the weights over with those of length 1 at each step.
    """

    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1], self.num_classes)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        return jnp.tensordot(_of_length_one(x, -1), _of_length_one(kernel, 0), axes=1)


def _of_length_one(x: jax.Array, axis: int) -> jax.Array:
    """`x` by its length along an axis; zeros stay zeros."""
    square = jnp.sum(x**2, axis=axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(square, _LEAST**2))
