"""Keeping the nearest adversarial point: shared by the minimum-distance attacks."""

import jax
import jax.numpy as jnp
import optax

from mspd_jax.attacks._checks import check_norm
from mspd_jax.attacks._losses import fooled, margin, objective


def distance(x, image, *, norm) -> jax.Array:
    """How far `x` is from `image`: max |x - image|, its l2 length, or sum; []."""
    check_norm(norm)
    change = x - image
    if norm == "linf":
        return jnp.max(jnp.abs(change))
    if norm == "l2":
        return optax.safe_norm(change, 1e-30)
    return jnp.sum(jnp.abs(change))


def nothing_yet(image):
    """What `keep_nearest` starts from: (image, loss -inf, success False)."""
    return image, jnp.full_like(image, -jnp.inf, shape=()), jnp.array(False)


def keep_nearest(best, x, image, logits, label, *, target=None, norm, least=0.0):
    """The better of `best` and `x`, both as (point [H, W, C], loss [], success []).

        success = adversarial, and its margin at least `least`,
        loss    = -distance(x, image) where successful, else the margin (below zero)

    Success goes before loss: the nearest adversarial point is kept, and as long as
    there is none, the point nearest to a change of mind. A NaN among the logits is
    never kept. logits: the model's at `x`. Returns (the better one, success at `x`).
    """
    gap = objective(logits, label, target=target, loss=margin)
    # A NaN among the logits makes the gap one, and all comparisons with it false.
    success = fooled(logits, label, target=target) & (gap >= least)
    loss = jnp.where(success, -distance(x, image, norm=norm), gap)
    _, best_loss, best_success = best
    better = jnp.where(success == best_success, loss > best_loss, success)
    new = (x, loss, success)
    return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, best), success
