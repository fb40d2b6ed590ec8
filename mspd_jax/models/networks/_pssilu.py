"""PSSiLU (Dai et al. 2021, arXiv 2110.05626): a SiLU of two learned numbers."""

import re
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._layers import as_channels


class PSSiLU(nn.Module):
    """x (sigmoid(|alpha| x) - |beta|) / (1 - |beta|).

    A network that has it as its `activation` has one pair of numbers for all its
    layers. It begins as the SiLU, at an alpha of 1 and a beta of 1e-8: at 0 the beta
    would have no gradient.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        alpha = self.param("alpha", nn.initializers.ones, (1,))
        beta = self.param("beta", nn.initializers.constant(1e-8), (1,))
        alpha, beta = (jnp.abs(as_channels(v, x)) for v in (alpha, beta))
        return x * (nn.sigmoid(alpha * x) - beta) / (1 - beta)


def pssilu_in(tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The option `activation`, as PyTorch's names of tensors tell it."""
    return {"activation": "pssilu"} if "activation.alpha" in tensors else {}


def shared_once(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PyTorch's tensors, without the copies of the activation that each block lists.

    A copy that has other numbers than the network's stays, and so fits nowhere.
    """

    def is_copy(name: str) -> bool:
        match = re.fullmatch(r".+\.(activation\.(?:alpha|beta))", name)
        return (
            match is not None
            and match[1] in tensors
            and np.array_equal(tensors[name], tensors[match[1]])
        )

    return {name: tensor for name, tensor in tensors.items() if not is_copy(name)}
