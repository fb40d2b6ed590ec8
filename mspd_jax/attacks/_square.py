"""The Square attack (Andriushchenko et al. 2020, arXiv 1912.00049)."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import _square_patterns as patterns
from mspd_jax.attacks._attempts import Candidate, best_attempt, better_of, no_candidate
from mspd_jax.attacks._ball import project
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._losses import cross_entropy, fooled, margin, objective
from mspd_jax.attacks._proposal import Predict, Proposal


def square(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    queries: int = 5000,
    restarts: int = 1,
    first: int | jax.Array = 0,
    target: jax.Array | int | None = None,
    p_init: float | jax.Array = 0.8,
    rescale: bool = False,
) -> Proposal:
    """Random search over square windows at the border of the ball; no gradients.

        linf:    x' = P(x + 2 eps s) in a random window, s a random sign per channel
        l2, l1:  x' = P(image + c), where c is x - image with the mass of two random
                 windows, and what is left of the budget, moved into the first of them:
                 there c is proportional to (x - image) / |x - image| + s * bump

    A trial is kept if its loss is larger or if it succeeds; the first success ends the
    search. The loss is the margin, or minus the cross-entropy of the target. It starts
    from vertical stripes of +-eps (linf) or a grid of bumps (l2, l1). The window's
    share of the pixels is `p_init` at first and halves after 10, 50, 200, 500, 1000,
    2000, 4000, 6000 and 8000 trials; with `rescale` these are shares of 10,000.

    Guarantee: no prediction is kept that is worse than one before, and the model is
    asked exactly restarts * queries times, also after a success.

    Arguments as in all attacks (`mspd_jax.attacks`); p_init: traced. queries, rescale:
    static.

    Returns a Proposal. Memory of one prediction. No gradient flows.

    Deviation: from the reference of AutoAttack. Every image has windows of its own (a
    batch shares them there, so that a row would depend on the batch); they also reach
    the last row and column; the first query counts as one of `queries`; windows are no
    larger than the image.
    """
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm)
    check_count("queries", queries)
    check_count("restarts", restarts)
    halved = jnp.asarray(patterns.halvings(queries, rescale=rescale))
    change = _recolor if norm == "linf" else _move_mass
    loss = margin if target is None else cross_entropy

    def restart(number):
        start_key, search_key = jax.random.split(jax.random.fold_in(key, number))

        def query(number, best):
            # Query 0 asks about the start itself: its window is empty. So the model
            # stands in the program once.
            trial = jnp.maximum(number - 1, 0)
            size = patterns.window_size(
                halved[trial], image.shape, p_init=p_init, norm=norm
            )
            size = jnp.where(number == 0, 0, size)
            # Few numbers: random bits cost more than all else in this loop.
            draw_key = jax.random.fold_in(search_key, number)
            draws = jax.random.uniform(draw_key, (5 + image.shape[-1],))
            x = change(draws, best.image, image, size, eps=eps, norm=norm)
            logits = predict(x)
            value = objective(logits, label, target=target, loss=loss)
            success = fooled(logits, label, target=target)
            found = better_of(Candidate(x, value, success), best)
            # The first success ends the search.
            return jax.tree.map(
                lambda new, old: jnp.where(best.success, old, new), found, best
            )

        start = _start(start_key, image, eps=eps, norm=norm)
        return lax.fori_loop(0, queries, query, no_candidate(start))

    best = best_attempt(restart, image, attempts=restarts, first=first)
    return best._replace(image=project(best.image, image, eps=eps, norm=norm))


def _start(key, image, *, eps, norm):
    if norm == "linf":
        stripes = (1, *image.shape[1:])
        sign = jax.random.rademacher(key, stripes, dtype=image.dtype)
        return jnp.clip(image + eps * sign, 0.0, 1.0)
    grid = patterns.bump_grid(key, image.shape, norm=norm)
    length = patterns.length_of(grid, norm=norm)
    if norm == "l2":
        return image + grid * (eps / length)
    # As long as it is: the projection then leaves the peaks alone, a sparse start.
    grid = grid * jnp.maximum(1.0, eps / length)
    return project(image + grid, image, eps=eps, norm=norm)


def _recolor(draws, x, image, size, *, eps, norm):
    """Each channel of one window to the upper or the lower border of the ball."""
    inside = patterns.window(draws[:2], size, image.shape)
    # By 2 eps: the border is reached from everywhere in the ball.
    moved = x + 2.0 * eps * _signs(draws[5:])
    return project(jnp.where(inside, moved, x), image, eps=eps, norm=norm)


def _move_mass(draws, x, image, size, *, eps, norm):
    """The mass of two windows into the first, along its old change plus a bump."""
    power = 2.0 if norm == "l2" else 1.0
    channels = image.shape[-1]
    into = patterns.window(draws[0:2], size, image.shape)
    out_of = patterns.window(draws[2:4], size, image.shape)
    # It depends on the query alone: under `vmap` one for all images.
    bump = patterns.make_bump(jnp.maximum(size, 1), image.shape, norm=norm)
    bump = patterns.place_bump(bump, draws[0:2], draws[4] < 0.5, size)

    def length(x, axis=None):
        return patterns.length_of(x, norm=norm, axis=axis)

    old = x - image
    here = jnp.where(into, old, 0.0)
    new = here / jnp.maximum(length(here, (0, 1)), 1e-12) + _signs(draws[5:]) * bump
    spare = jnp.maximum(eps**power - length(old) ** power, 0.0)
    both = length(jnp.where(into | out_of, old, 0.0), (0, 1))
    mass = spare / channels + both**power
    if norm == "l2":
        mass = jnp.sqrt(mass)
    else:
        # More than there is, as in the reference: the projection cuts what is small.
        mass = mass * channels
    new = new * (mass / jnp.maximum(length(new, (0, 1)), 1e-12))
    change = jnp.where(into, new, jnp.where(out_of, 0.0, old))
    if norm == "l1":
        # Less than eps by more than the rounding of so many sums, as in the reference.
        return project(image + change, image, eps=eps * (1.0 - 1e-6), norm=norm)
    # Clipping has shortened it: stretch it to the border of the ball again.
    stretch = eps / jnp.maximum(length(change), 1e-30)
    return jnp.clip(image + change * stretch, 0.0, 1.0)


def _signs(draws):
    return jnp.where(draws < 0.5, -1.0, 1.0)[None, None, :]
