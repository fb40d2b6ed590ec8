"""Adam (Kingma and Ba 2015), one step at a time on one image.

Written out: optax mixes types, which the strict promotion of JAX refuses.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


class Moments(NamedTuple):
    """Running averages of the gradient and of its square, as they are summed up."""

    mean: jax.Array
    square: jax.Array


def no_moments(like: jax.Array) -> Moments:
    """Before the first step."""
    return Moments(jnp.zeros_like(like), jnp.zeros_like(like))


def adam(moments: Moments, gradient, t) -> tuple[jax.Array, Moments]:
    """The step of length about 1 per pixel after step t = 0, 1, ..., and the moments.

    m' = .9 m + .1 g,   s' = .999 s + .001 g^2
    (m' / (1 - .9^(t + 1))) / (sqrt(s' / (1 - .999^(t + 1))) + 1e-8)
    """
    mean = _FIRST * moments.mean + (1.0 - _FIRST) * gradient
    square = _SECOND * moments.square + (1.0 - _SECOND) * jnp.square(gradient)
    count = jnp.asarray(t, jnp.float32) + 1.0
    size = jnp.sqrt(square / (1.0 - _SECOND**count)) + _TINY
    return mean / (1.0 - _FIRST**count) / size, Moments(mean, square)
