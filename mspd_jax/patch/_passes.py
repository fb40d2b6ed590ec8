"""Some of many predictions, in passes of one size, so that they compile once."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.errors import InputError


class Answers(NamedTuple):
    """Predictions, each by its number.

    Attributes:
      labels: int [n], -1 where the logits are not numbers.
      confidences: float [n], softmax probability of the label.
      leads: float [n], how far its logit is above the next; where logits are larger
        than 1, in units of the largest, as rounding grows with them.
      sizes: float [n], that unit: the largest logit, 1 at least.
    """

    labels: jax.Array
    confidences: jax.Array
    leads: jax.Array
    sizes: jax.Array


def answer_of(logits: jax.Array) -> Answers:
    """What logits [..., K] say; InputError where there is a single class."""
    if logits.shape[-1] < 2:
        raise InputError("a single class: there is nothing to detect or to certify")
    decided = ~jnp.any(jnp.isnan(logits), axis=-1)
    sizes = jnp.maximum(jnp.max(jnp.abs(logits), axis=-1), 1.0)
    first, second = jnp.moveaxis(lax.top_k(logits, 2)[0], -1, 0)
    return Answers(
        jnp.where(decided, jnp.argmax(logits, axis=-1), -1),
        jnp.where(decided, jnp.max(jax.nn.softmax(logits), axis=-1), 0.0),
        jnp.where(decided, (first - second) / sizes, 0.0),
        jnp.where(decided, sizes, 1.0),
    )


def in_passes(
    ask: Callable[[jax.Array], jax.Array],
    needed: jax.Array,
    others: Answers,
    *,
    budget: int,
) -> Answers:
    """The answers whose numbers are needed, `budget` of them at once.

    ask: numbers [b] -> logits [b, K], b = min(budget, n). needed: bool [n]. others:
    the answer of all that are not needed, not computed. The passes go on until none is
    left; the last one is filled up with numbers whose answers are not used.
    """
    count, size = jnp.sum(needed), needed.shape[0]
    budget = min(budget, size)
    order = jnp.argsort(~needed, stable=True)
    order = jnp.pad(order, (0, -size % budget))

    def one_pass(turn, answers):
        start = turn * budget
        numbers = lax.dynamic_slice_in_dim(order, start, budget)
        found = answer_of(ask(numbers))
        # Where nothing is asked for, the number lies outside and nothing is written.
        places = jnp.where(start + jnp.arange(budget) < count, numbers, size)
        return jax.tree.map(
            lambda all_, new: all_.at[places].set(new, mode="drop"), answers, found
        )

    start = jax.tree.map(lambda x: jnp.broadcast_to(x, (size,)), others)
    # Passes are counted one by one. In steps of `budget`, XLA (jaxlib 0.10.2) takes a
    # known count below one step for no pass at all, and leaves the loop out.
    return lax.fori_loop(0, (count + budget - 1) // budget, one_pass, start)
