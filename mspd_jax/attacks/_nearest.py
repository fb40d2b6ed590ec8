"""Keeping the nearest adversarial point: shared by the minimum-distance attacks."""

import jax
import jax.numpy as jnp
import optax

from mspd_jax.attacks._attempts import Candidate, better_of
from mspd_jax.attacks._checks import check_norm
from mspd_jax.attacks._losses import fooled, margin, objective


def distance(x: jax.Array, image: jax.Array, *, norm: str) -> jax.Array:
    """How far `x` is from `image`: max |x - image|, its l2 length, or sum; []."""
    check_norm(norm)
    change = x - image
    if norm == "linf":
        return jnp.max(jnp.abs(change))
    if norm == "l2":
        return optax.safe_norm(change, 1e-30)
    return jnp.sum(jnp.abs(change))


def keep_nearest(
    best: Candidate,
    x: jax.Array,
    image: jax.Array,
    logits: jax.Array,
    label: jax.Array,
    *,
    target: jax.Array | None = None,
    norm: str,
    least: float | jax.Array = 0.0,
) -> tuple[Candidate, jax.Array]:
    """The better of `best` and `x`: the nearer one of two adversarial points.

        success = adversarial, and its margin at least `least`,
        loss    = -distance(x, image) where successful, else the margin (below zero)

    Success goes before loss: without any, the point nearest to a change of mind is
    kept. A NaN among the logits is never kept. logits: [K], at `x`. Returns the better
    one, and whether `x` is a success.
    """
    gap = objective(logits, label, target=target, loss=margin)
    # A NaN among the logits makes the gap one, and all comparisons with it false.
    success = fooled(logits, label, target=target) & (gap >= least)
    loss = jnp.where(success, -distance(x, image, norm=norm), gap)
    return better_of(Candidate(x, loss, success), best), success
