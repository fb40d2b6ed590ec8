"""MeanSparse (Amini et al. 2024, arXiv 2406.05927): what is close to a mean becomes it.

Its authors put it into robust networks that are trained already, at places that differ
from family to family, and measure its statistics there.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import as_channels


class MeanSparse(Formed):
    """Values close to the mean of their channel become that mean.

        value(x) = x if |x - mean| >= threshold * sqrt(var) else mean
        gradient(x, v) = v

    The statistics are measured after training, which does not move them. Without `on`
    it is the identity and has none.

    Deviation: the gradient is that of the identity. The published operator has that of
    its values, zero wherever it replaces one: attacks that follow it find less, and the
    network is no more robust for that, as APGD with BPDA (`attacks.straight_through`)
    showed, which leaves it less accuracy than AutoAttack. Here every attack is such an
    adaptive one.
    """

    on: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if not self.on:
            return x
        kind, features = "params" if self.folded else "batch_stats", (x.shape[-1],)
        mean = self.variable(kind, "mean", jnp.zeros, features).value
        variance = self.variable(kind, "var", jnp.ones, features).value
        threshold = self.variable(kind, "threshold", jnp.zeros, ()).value
        band = threshold * jnp.sqrt(variance)
        return _sparsified(x, as_channels(mean, x), as_channels(band, x))


@jax.custom_jvp
def _sparsified(x, mean, band):
    return jnp.where(jnp.abs(x - mean) < band, mean, x)


@_sparsified.defjvp
def _straight_through(primals, tangents):
    return _sparsified(*primals), tangents[0]


# What PyTorch's operators keep beside the statistics: how these were measured.
COUNTERS = r".*\.(flag_update_statistics|batch_num|momentum|epsilon)"


def sparse_in(tensors: Mapping[str, np.ndarray]) -> dict[str, bool]:
    """The option `sparse`, as PyTorch's names of tensors tell it."""
    return {"sparse": any(name.endswith(".threshold") for name in tensors)}
