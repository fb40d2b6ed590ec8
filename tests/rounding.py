"""An adversary who rounds: a function whose values are off by a share of themselves."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.tree_util import Partial

ERROR = 1e-6


def off(function, seed, error=ERROR) -> Partial:
    """function(x), each value off by up to `error` of itself, by seed and bits of x.

    As if each x were computed by another program, or at another place of a batch.
    """
    return Partial(_off, function, jnp.asarray(seed), jnp.float32(error))


def _off(function, seed, error, x):
    out = function(x)
    bits = lax.bitcast_convert_type(lax.stop_gradient(x), jnp.uint32)
    total = jnp.sum(bits.ravel(), dtype=jnp.uint32)
    key = jax.random.fold_in(jax.random.key(seed), total)
    return out * (1 + error * jax.random.uniform(key, out.shape, minval=-1.0))
