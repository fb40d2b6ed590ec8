"""Attempts: an attack that tries several times keeps the best, or is run in parts.

Attempt number i of an attack draws its randomness from fold_in(key, i). So the attempts
0..n-1 in one call are the same as n calls with one attempt each, `first` = 0..n-1: a
driver may run them one after the other and drop the images that have fallen.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._checks import check_count
from mspd_jax.attacks._proposal import Proposal

_Ranked = TypeVar("_Ranked", bound=Any)


class Candidate(NamedTuple):
    """A point [H, W, C] that an attack may keep; loss: [], what it makes large, there;
    success: bool [], whether it succeeds there."""

    image: jax.Array
    loss: jax.Array
    success: jax.Array


def no_candidate(image: jax.Array) -> Candidate:
    """What a search starts from: `image`, loss -inf, no success."""
    return Candidate(image, jnp.full_like(image, -jnp.inf, shape=()), jnp.array(False))


def better_of(new: _Ranked, old: _Ranked) -> _Ranked:
    """One of two NamedTuples of a `loss` and a `success`, the better of the two.

    By success first, then by loss: a success is never given up for more loss. A NaN
    loss is never better, equal is not either.
    """
    better = jnp.where(
        new.success == old.success,
        new.loss > old.loss,
        new.success & ~jnp.isnan(new.loss),
    )
    return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)


def best_attempt(
    attempt: Callable[[jax.Array], Candidate],
    image: jax.Array,
    *,
    attempts: int,
    first: int | jax.Array = 0,
) -> Proposal:
    """The best of `attempt(first)`, ..., `attempt(first + attempts - 1)`.

    Ranked by `better_of`. `image` with loss -inf is returned where nothing finite came
    up. One at a time, so memory does not grow. attempts: static; first: traced.
    """
    check_count("attempts", attempts)

    def step(offset, best):
        return better_of(attempt(first + offset), best)

    best = no_candidate(image)
    if attempts == 1:  # no loop for the compiler to look at
        best = step(0, best)
    else:
        best = lax.fori_loop(0, attempts, step, best)
    return Proposal(best.image, best.loss)
