"""What else rounding could select: ties at the border of a selection, both ways.

Two values that are nearly equal may change places when they are computed again, by
another program, at another place of a batch, or beside other pixels. A certificate must
not rest on which of them is the larger, so the selections with either are asked.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mspd_jax.patch._neurons import WHOLE, Ranked, listed_hidden
from mspd_jax.patch._windows import Hidden, hides

# Values nearer to each other than this share of the largest may change places.
NEAR = 1e-5
# Neurons in doubt around the border of a selection, at most, and all ways in which as
# many of those that were kept are exchanged for others: ((kept, ...), (left out, ...))
# by their distance from the border, -1 for none.
MOST = 4
SWAPS = [((i, -1), (j, -1)) for i in range(3) for j in range(3)] + [((0, 1), (0, 1))]


class Doubts(NamedTuple):
    """Other selections outside each window, as swaps with the one that was made.

    Attributes:
      drop, add: int [W, S, 2], ranks that leave the selection and that enter it instead
        (WHOLE for none), by window and swap.
      needed: bool [W, S], the swaps that rounding may make.
      lost: bool [W], there are more than are followed.
    """

    drop: jax.Array
    add: jax.Array
    needed: jax.Array
    lost: jax.Array


def doubts(ranked: Ranked, hidden: Hidden, *, keep: int) -> Doubts:
    """What else rounding may select outside each window.

    Two computations of a neuron differ by at most 2 d; in doubt are then those neurons
    that lie within 4 d of the first left out and of the last kept,

        D = {i : h_(k) - 4 d <= h_i <= h_(k+1) + 4 d},    4 d = NEAR * max |h|,

    h_(k) being the k-th largest value outside of the window, and another computation
    selects all that are above D, and as many of D. Where both values are within 8 d of
    0, what is selected does not matter: a neuron that is not becomes 0. Of places the
    same holds, h being the largest |neuron| of each, which moves no more than they. At
    most `MOST` neurons in doubt are followed, by way of `SWAPS`; `ranked` lists keep +
    MOST neurons outside of any window, or all.
    """
    left = ~listed_hidden(ranked, hidden)
    left = left.reshape(-1, left.shape[-1])
    count = jnp.cumsum(left, axis=-1)
    value = ranked.scores.ravel()[ranked.order]
    largest = jnp.max(jnp.where(left, jnp.abs(value), 0.0), axis=-1, keepdims=True)
    near = NEAR * largest
    # Ranks of the neurons around the border, from it: kept [W, MOST], left out.
    kept, out = (
        jnp.sum(count[:, None] < places[None, :, None], axis=-1)
        for places in (keep - jnp.arange(MOST), keep + 1 + jnp.arange(MOST))
    )
    there = (keep - jnp.arange(MOST) > 0)[None], out < value.shape[0]
    last, first = (value[jnp.clip(r, 0, value.shape[0] - 1)] for r in (kept, out))
    close = last[:, :1] - first[:, :1] <= near
    close &= jnp.maximum(abs(last[:, :1]), abs(first[:, :1])) > 2 * near
    close &= there[1][:, :1]
    doubtful = (
        jnp.sum(close & there[0] & (last <= first[:, :1] + near), axis=-1),
        jnp.sum(close & there[1] & (first >= last[:, :1] - near), axis=-1),
    )
    swaps = jnp.asarray(SWAPS)
    inside = [jnp.max(swaps[:, side], axis=-1) for side in (0, 1)]
    needed = (inside[0][None] < doubtful[0][:, None]) & (
        inside[1][None] < doubtful[1][:, None]
    )
    drop, add = (
        jnp.where(swaps[None, :, side] < 0, WHOLE, ranks[:, swaps[:, side]])
        for side, ranks in enumerate((kept, out))
    )
    return Doubts(drop, add, needed, doubtful[0] + doubtful[1] > MOST)


def exchange(
    ranked: Ranked,
    hidden: Hidden,
    limit: jax.Array,
    number: jax.Array,
    drop: jax.Array,
    add: jax.Array,
) -> jax.Array:
    """`prune_outside`, but without the neurons of ranks `drop` and with those of `add`.

    drop, add: int [2].
    """

    def among(pair):
        return (ranked.ranks == pair[0]) | (ranked.ranks == pair[1])

    selected = (ranked.ranks < limit) & ~among(drop) | among(add)
    selected &= ~hides(hidden, number)[:, :, None]
    return jnp.where(selected, ranked.places, 0.0)
