"""Patches: one square of pixels may become anything, the others stay as they are.

Gradient ascent in the square, at one position after the other, as in the evaluations of
certified defenses (arXiv 2110.14120): 500 steps of .05, the four corners always.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax.attacks._attempts import Candidate, best_attempt, better_of, no_candidate
from mspd_jax.attacks._ball import ascend
from mspd_jax.attacks._checks import check_count
from mspd_jax.attacks._losses import cross_entropy, loss_and_success
from mspd_jax.attacks._proposal import Loss, Predict, Proposal
from mspd_jax.errors import InputError


class Ascent(NamedTuple):
    """What ascent in a square found.

    Attributes:
      image: [H, W, C], the best point; where no loss was a number, the original.
      loss: [], its loss; -inf where no loss was a number.
      success: bool [], whether it is a success.
      last: [H, W, C], the last point, from which the ascent can go on.
    """

    image: jax.Array
    loss: jax.Array
    success: jax.Array
    last: jax.Array


def patch_positions(
    image_shape: tuple[int, int, int], *, patch: int, count: int | None = None
) -> np.ndarray:
    """Upper left corners of squares of `patch` x `patch` pixels, int32 [P, 2].

    count: None for every position inside the image, row by row. Else no more than so
    many, none of them twice: the four corners of the image first (fewer where they
    coincide), then always the position that is farthest from those before it, the first
    of them in rows. So they are spread evenly, and more positions extend fewer. Takes
    time in proportion to count * H * W.
    """
    check_patch(patch, image_shape)
    lowest, rightmost = (length - patch for length in image_shape[:2])
    axes = np.arange(lowest + 1), np.arange(rightmost + 1)
    every = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    if count is None:
        return every.astype(np.int32)
    if count < 1:
        raise InputError(f"positions of a patch: expected 1 or more, got {count}")
    # A dict keeps the order and drops what coincides.
    chosen = list(dict.fromkeys(itertools.product((0, lowest), (0, rightmost))))
    distance = np.min([_squared(every, place) for place in chosen], axis=0)
    while len(chosen) < min(count, len(every)):
        chosen.append(tuple(every[np.argmax(distance)]))
        distance = np.minimum(distance, _squared(every, chosen[-1]))
    return np.asarray(chosen[:count], np.int32)


def put_patch(image: jax.Array, corner: jax.Array, content: jax.Array) -> jax.Array:
    """The image with `content` [p, p, C] from `corner` on; all else bit by bit."""
    check_patch(content.shape[0], image.shape)
    return lax.dynamic_update_slice(image, content, (corner[0], corner[1], 0))


def ascend_in_patch(
    key: jax.Array,
    image: jax.Array,
    corner: jax.Array,
    objective: Callable,
    *,
    patch: int,
    steps: int,
    step_size: float | jax.Array,
    random_start: bool = True,
) -> Ascent:
    """Sign gradient ascent in one square of an image; the best point is kept.

        c_0 = U(0, 1),   c_{t+1} = clip01(c_t + step_size * sign(grad objective(c_t)))

    for the content c of the square at `corner`, [patch, patch, C]. Guarantee: no pixel
    outside of it changes, to the last bit, and all in it lie in [0, 1]. Of the points
    c_0, ..., c_steps the best by success, then by loss, is kept. A gradient that is NaN
    moves nothing, and a point whose loss is NaN is not kept.

    image: [H, W, C] in [0, 1]. corner: int [2], traced; the square must lie inside.
    objective: [H, W, C] -> (loss [], success bool []). patch, steps, random_start:
    static; without a random start c_0 is what the image has there. step_size: traced.

    Costs `steps` gradients, and one value for the last point.
    """
    chex.assert_rank([image, corner], [3, 1])
    check_patch(patch, image.shape)
    check_count("steps", steps)
    shape = (patch, patch, image.shape[-1])
    original = lax.dynamic_slice(image, (corner[0], corner[1], 0), shape)

    def value(content):
        return objective(put_patch(image, corner, content))

    def step(_, state):
        content, best = state
        rise = jax.value_and_grad(value, has_aux=True)
        (loss, success), gradient = rise(content)
        best = better_of(Candidate(content, loss, success), best)
        # A ball of radius 1 holds the whole box: any content is reached.
        content = ascend(
            content, gradient, original, eps=1.0, step_size=step_size, norm="linf"
        )
        return content, best

    content = original
    if random_start:
        content = jax.random.uniform(key, shape, image.dtype)
    state = content, no_candidate(original)
    last, best = lax.fori_loop(0, steps, step, state)
    best = better_of(Candidate(last, *value(last)), best)
    return Ascent(
        put_patch(image, corner, best.image),
        best.loss,
        best.success,
        put_patch(image, corner, last),
    )


def patch_pgd(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    patch: int,
    positions: jax.Array,
    steps: int = 500,
    step_size: float | jax.Array = 0.05,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Proposal:
    """Ascent in the square (`ascend_in_patch`) at each position; the best is kept.

    Ranked by success first, then by loss, over all positions and all steps. It knows of
    no detector: `mspd_jax.patch.evade` attacks one.

    Arguments as in all attacks (`mspd_jax.attacks`); position number p draws from
    fold_in(key, p), so more positions extend fewer. patch: side of the square in
    pixels, static. positions: int [P, 2], upper left corners, traced
    (`patch_positions`); each square must lie inside.

    Returns a Proposal, which is in no ball: any pixel of one square may have changed
    by anything. Costs P * (steps gradients and one prediction), one at a time, so
    memory does not grow with either. No gradient flows through the signs.
    """
    chex.assert_rank([image, label, positions], [3, 0, 2])
    chex.assert_axis_dimension(positions, 1, 2)
    check_count("number of positions", positions.shape[0])
    corners = jnp.asarray(positions)
    walk = {"patch": patch, "steps": steps, "step_size": step_size}
    value = loss_and_success(predict, label, target=target, loss=loss)

    def attempt(number):
        own_key = jax.random.fold_in(key, number)
        found = ascend_in_patch(own_key, image, corners[number], value, **walk)
        return Candidate(found.image, found.loss, found.success)

    return best_attempt(attempt, image, attempts=positions.shape[0])


def check_patch(patch: int, image_shape: tuple[int, ...]) -> None:
    """InputError unless a square of `patch` pixels a side fits the image."""
    height, width = image_shape[:2]
    if not 1 <= patch <= min(height, width):
        raise InputError(
            f"a patch of {patch} x {patch} pixels does not fit an image of {height} x "
            f"{width}: give a side from 1 to {min(height, width)}"
        )


def _squared(places, place):
    return np.sum(np.square(places - np.asarray(place)), axis=1)
