"""Ascent: repeated steps of `ascend`, and the momentum that steps may follow."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._ball import ascend


def ascent(
    slope: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    image: jax.Array,
    *,
    eps: float | jax.Array,
    step_size: float | jax.Array,
    steps: int,
    norm: str,
    always_loop: bool = False,
) -> jax.Array:
    """The last of `steps` steps uphill from `start`, all within the ball and the box.

        x_0 = start,   x_{t+1} = P(x_t + step_size * direction(slope(x_t)))

    slope: x -> the gradient of what is to rise. image: the center of the ball. steps:
    static, hence differentiable. always_loop: whether one step is a loop, too: the
    compiler rounds it otherwise. eps, step_size, norm: as in `ascend`.
    """

    def step(_, x):
        return ascend(x, slope(x), image, eps=eps, step_size=step_size, norm=norm)

    if steps == 1 and not always_loop:  # a loop would only cost compile time
        return step(0, start)
    return lax.fori_loop(0, steps, step, start)


def add_momentum(
    momentum: jax.Array, gradient: jax.Array, *, decay: float | jax.Array
) -> jax.Array:
    """The momentum of MIM (Dong et al. 2018, arXiv 1710.06081), equation 6.

    m' = decay * m + g / mean |g|

    A zero gradient adds nothing. The result is the same for g and c * g at any scale
    between 1e-30 and 1e30.
    """
    decayed = decay * momentum
    # By the largest entry first: the mean of huge entries would overflow, and that of
    # a confident model's gradients is below what may be divided by.
    largest = jnp.max(jnp.abs(gradient))
    gradient = gradient / jnp.where(largest > 0.0, largest, 1.0)
    return decayed + gradient / jnp.maximum(jnp.mean(jnp.abs(gradient)), 1e-30)
