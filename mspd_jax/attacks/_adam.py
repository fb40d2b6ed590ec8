"""Adam (Kingma and Ba 2015), one step at a time on one image: that of optax."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

Moments = Any  # optax.ScaleByAdamState, which is no type to a type checker
_RULE = optax.scale_by_adam()  # the authors' constants: .9, .999 and 1e-8


def no_moments(like: jax.Array) -> Moments:
    """Before the first step."""
    # The number of steps as a float: optax takes a power of it, which the strict
    # promotion of JAX refuses for an integer.
    return _RULE.init(like)._replace(count=jnp.zeros((), jnp.float32))


def adam(moments: Moments, gradient: jax.Array) -> tuple[jax.Array, Moments]:
    """The step of length about 1 per pixel after step t = 0, 1, ..., and the moments.

    m' = .9 m + .1 g,   s' = .999 s + .001 g^2
    (m' / (1 - .9^(t + 1))) / (sqrt(s' / (1 - .999^(t + 1))) + 1e-8)
    """
    return _RULE.update(gradient, moments)
