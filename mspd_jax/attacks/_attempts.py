"""Attempts: an attack that tries several times keeps the best, or is run in parts.

Attempt number i of an attack draws its randomness from fold_in(key, i). So the attempts
0..n-1 in one call are the same as n calls with one attempt each, `first` = 0..n-1: a
driver may run them one after the other and drop the images that have fallen.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._checks import check_count
from mspd_jax.attacks._proposal import Proposal


def best_attempt(
    attempt: Callable, image: jax.Array, *, attempts: int, first=0
) -> Proposal:
    """The best of `attempt(first)`, ..., `attempt(first + attempts - 1)`.

    attempt: (number int32 []) -> (x [H, W, C], loss [], success bool []). Ranked by
    success first, then by loss: a misclassified point is never given up for one with
    more loss that is not. A NaN loss is never kept. `image` with loss -inf is returned
    where nothing finite came up. attempts: static; first: traced. One at a time, so
    memory does not grow.
    """
    check_count("attempts", attempts)

    def step(offset, best):
        x, loss, success = attempt(first + offset)
        _, best_loss, best_success = best
        better = jnp.where(
            success == best_success, loss > best_loss, success & ~jnp.isnan(loss)
        )
        return jax.tree.map(
            lambda new, old: jnp.where(better, new, old), (x, loss, success), best
        )

    nothing = (image, jnp.full_like(image, -jnp.inf, shape=()), jnp.array(False))
    if attempts == 1:  # no loop for the compiler to look at
        x, loss, _ = step(0, nothing)
    else:
        x, loss, _ = lax.fori_loop(0, attempts, step, nothing)
    return Proposal(x, loss)
