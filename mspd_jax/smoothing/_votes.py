"""Counting votes: which class a classifier names how often under Gaussian noise."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax.smoothing._checks import check_count
from mspd_jax.smoothing._noise import ESTIMATION, SELECTION, noise_at
from mspd_jax.smoothing._stopping import SamplingPlan


class Votes(NamedTuple):
    """Votes of one image, for `certify_votes`.

    Attributes:
      selection: int32 [K], of the samples that choose the class.
      estimation: int32 [K], of the samples, independent of those, that bound its
        probability; all 0 if none were drawn.
      drawn: int32 [], how many estimation samples were drawn. Votes for no class make
        `estimation` sum to less.
    """

    selection: jax.Array
    estimation: jax.Array
    drawn: jax.Array | np.integer


def count_votes(
    key: jax.Array,
    predict: Callable,
    image: jax.Array,
    *,
    sigma: float | jax.Array,
    start: int | jax.Array,
    stop: int | jax.Array,
    chunk: int,
    axis_name: str | None = None,
) -> jax.Array:
    """How often each class is named under noise, over samples start ... stop - 1.

        v_c = #{start <= i < stop : argmax predict(image + sigma n_i) = c},
        n_i = noise_at(key, i)

    Noisy images are not clipped: the certificate needs Gaussian noise. Logits with a
    NaN are a vote for no class; ties go to the first class, as in `argmax`. Counts of
    neighboring ranges add up.

    The last chunk may reach beyond `stop`, for nothing: make it divide the range. Over
    a mapped axis, image and key being the same at all of its D places, place d takes
    chunks d, d + D, ..., and each returns the total, int32 [K]. No gradient: the loop's
    length is data.
    """
    chex.assert_rank(image, 3)
    check_count("chunk", chunk)
    classes = jax.eval_shape(predict, image)
    chex.assert_rank(classes, 1)
    classes = jnp.arange(classes.shape[0])
    sigma = jnp.asarray(sigma, image.dtype)
    start, stop = jnp.asarray(start, jnp.int32), jnp.asarray(stop, jnp.int32)
    place: int | jax.Array = 0
    places: int | jax.Array = 1
    if axis_name is not None:
        place, places = lax.axis_index(axis_name), lax.psum(1, axis_name)

    def add(turn, votes):
        first = start + (place + turn * places) * chunk
        numbers = first + jnp.arange(chunk, dtype=jnp.int32)
        noise = noise_at(key, numbers, image.shape).astype(image.dtype)
        logits = jax.vmap(predict)(image[None] + sigma * noise)
        counts = (numbers < stop) & ~jnp.any(jnp.isnan(logits), axis=1)
        named = jnp.argmax(logits, axis=1)[:, None] == classes[None]
        return votes + jnp.sum(named & counts[:, None], axis=0, dtype=jnp.int32)

    chunks = -(-(stop - start) // chunk)
    # The share of this place; none where there are fewer chunks than places.
    turns = -(-(chunks - place) // places)
    votes = lax.fori_loop(0, turns, add, jnp.zeros(classes.shape, jnp.int32))
    return votes if axis_name is None else lax.psum(votes, axis_name)


def smoothed_votes(
    key: jax.Array,
    predict: Callable,
    image: jax.Array,
    label: jax.Array,
    *,
    sigma: float | jax.Array,
    plan: SamplingPlan,
    chunk: int,
    axis_name: str | None = None,
) -> Votes:
    """The votes that a certificate needs, drawn in rounds until `plan` has enough.

    Selection votes choose a class c; then, round by round, estimation votes are drawn
    until all of the plan's are, or its rules say of v_c that more cannot change what
    the plan asks for (`stopping_plan`, which says why certificates stay sound).

    Per example, and a method for the driver: under `vmap` an image that has stopped
    costs as much as one that has not until the whole batch has; its votes do not depend
    on the batch.

    Args:
      key: of the image.
      predict: [H, W, C] -> [K].
      image: float [H, W, C].
      label: int [], read only if the plan says so, -1 where unknown.
      sigma: in pixels, traced.
      plan: traced; one program for all plans of as many rounds.
      chunk: static, samples at once: memory grows with it and with nothing else, and
        votes depend on it by the rounding of `predict` alone.
      axis_name: a mapped axis whose places share the samples of the image; all of them
        decide alike, from the total.

    Returns:
      Votes. No gradient.
    """
    chex.assert_rank([image, label], [3, 0])

    def count(stage, start, stop):
        return count_votes(
            jax.random.fold_in(key, stage),
            predict,
            image,
            sigma=sigma,
            start=start,
            stop=stop,
            chunk=chunk,
            axis_name=axis_name,
        )

    plan = jax.tree.map(jnp.asarray, plan)
    rounds = plan.ends.shape[0]
    bounds = jnp.concatenate([jnp.zeros(1, jnp.int32), plan.ends])
    selection = count(SELECTION, 0, plan.selection)
    chosen = jnp.argmax(selection)

    def unfinished(state):
        turn, _, stopped = state
        return (turn < rounds) & ~stopped

    def draw(state):
        turn, votes, _ = state
        votes = votes + count(ESTIMATION, bounds[turn], bounds[turn + 1])
        agreeing = votes[chosen]
        stopped = (agreeing <= plan.futile[turn]) | (agreeing >= plan.enough)
        return turn + 1, votes, stopped

    skipped = plan.known_label & (chosen != label) & (label >= 0)
    state = (jnp.zeros((), jnp.int32), jnp.zeros_like(selection), skipped)
    turn, votes, _ = lax.while_loop(unfinished, draw, state)
    return Votes(selection, votes, bounds[turn])
