"""Superficial important neurons: the largest values of a shallow map, and no others.

A neuron is one value of a map [h, w, c]. Of a map the `keep` largest values are kept
and the others become 0; where a window is hidden, the largest of those that do not see
it. Of equal values the one that comes first in the map is the larger.

Or places are selected, [h, w], with all of their neurons: those with the largest
absolute value among their own. What is selected then lies together, and a window that
lies elsewhere hides none of it.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.errors import InputError
from mspd_jax.patch._windows import Hidden, hides

# In place of the number of a window: nothing hidden.
WHOLE = -1


class Ranked(NamedTuple):
    """A map whose neurons, or places, are in order.

    Attributes:
      places: [h, w, c].
      scores: [h, w, s], by which they are: the map itself, or one for each place.
      order: int [L], the neurons (numbers in the flattened scores) with the largest
        scores, the largest first.
      ranks: int [h, w, s], each neuron's number in that order, L if it is not there.
    """

    places: jax.Array
    scores: jax.Array
    order: jax.Array
    ranks: jax.Array


# What is selected of a map: single values, or places with all of theirs.
SELECTIONS = ("neurons", "places")


def score_shape(map_shape: tuple[int, int, int], select: str) -> tuple[int, int, int]:
    """Of a map, how many there are to select from."""
    if select not in SELECTIONS:
        raise InputError(f"`select`={select}: expected one of {', '.join(SELECTIONS)}")
    height, width, channels = map_shape
    return height, width, channels if select == "neurons" else 1


def neuron_count(
    share: float, map_shape: tuple[int, int, int], *, select: str = "neurons"
) -> int:
    """How many neurons a share of a map is, rounded up; InputError if it is none."""
    if not 0 < share <= 1:
        raise InputError(f"a share of neurons: expected above 0 to 1, got {share:g}")
    return max(1, math.ceil(share * math.prod(score_shape(map_shape, select)) - 1e-6))


def rank_neurons(places: jax.Array, *, listed: int, select: str = "neurons") -> Ranked:
    """Orders a map [h, w, c]. listed: L, static; more than there are is all.

    With L no less than `keep` and the neurons that a window hides together, a selection
    outside the window never asks for one that is not in the order.
    """
    scores = lax.stop_gradient(places)
    if select == "places":
        scores = jnp.max(jnp.abs(scores), axis=-1, keepdims=True)
    flat = scores.ravel()
    listed = min(listed, flat.shape[0])
    order = lax.top_k(flat, listed)[1]  # of equal values the first comes first
    ranks = jnp.full(flat.shape, listed).at[order].set(jnp.arange(listed))
    return Ranked(places, scores, order, ranks.reshape(scores.shape))


def limits(ranked: Ranked, hidden: Hidden, *, keep: jax.Array | int) -> jax.Array:
    """For each window, the rank below which neurons that it leaves are kept, [R, C].

    Exactly `keep` of the neurons that do not see the window have a smaller rank, or
    there are no more.
    """
    kept = ~listed_hidden(ranked, hidden)
    return 1 + jnp.sum(jnp.cumsum(kept, axis=-1) < keep, axis=-1)


def prune(ranked: Ranked, limit: jax.Array, hidden: jax.Array | None) -> jax.Array:
    """The map with 0 for all neurons but those of a rank below `limit`, unhidden.

    hidden: bool [h, w], or None for nothing.
    """
    selected = ranked.ranks < limit
    if hidden is not None:
        selected &= ~hidden[:, :, None]
    return jnp.where(selected, ranked.places, 0.0)


def prune_outside(
    ranked: Ranked, hidden: Hidden, limit: jax.Array, number: jax.Array
) -> jax.Array:
    """The map with only what is selected outside window `number`; limit: of it."""
    return prune(ranked, limit, hides(hidden, number))


def shared_selections(
    ranked: Ranked, hidden: Hidden, limit: jax.Array, *, keep: int
) -> jax.Array:
    """For each window, the first one with the same pruned map, int [R * C].

    It is the window itself where none before it has, and WHOLE where the map is that of
    nothing hidden, as where no selected neuron sees the window. Maps are the same if
    the same neurons with values other than 0 are left. They are put in the order of a
    sum of random numbers, one for each neuron, and compared with their neighbors,
    neuron by neuron: equal sums of different maps can hide an equality, never feign
    one.
    """
    listed = ranked.order.shape[0]
    rank = jnp.arange(listed)[None, None]
    left = (rank < limit[..., None]) & ~listed_hidden(ranked, hidden)
    left = jnp.concatenate([rank[0] < keep, left.reshape(-1, listed)])
    left &= (ranked.scores.ravel()[ranked.order] != 0)[None]
    numbers = jax.random.bits(jax.random.key(listed), (1, listed), jnp.uint32)
    order = jnp.argsort(jnp.sum(jnp.where(left, numbers, 0), axis=-1), stable=True)
    in_order = left[order]
    new = jnp.any(in_order[1:] != in_order[:-1], axis=-1)
    place = jnp.arange(1, len(order))
    first = lax.cummax(jnp.concatenate([jnp.zeros(1, int), jnp.where(new, place, 0)]))
    shared = jnp.zeros(len(order), int).at[order].set(order[first])
    return shared[1:] - 1


def listed_hidden(ranked: Ranked, hidden: Hidden) -> jax.Array:
    """Whether each window hides each listed neuron, bool [R, C, L]."""
    _, width, channels = ranked.scores.shape
    row, col = jnp.divmod(ranked.order // channels, width)
    return hidden.rows[:, row][:, None] & hidden.cols[:, col][None]
