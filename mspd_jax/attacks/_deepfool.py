"""DeepFool (Moosavi-Dezfooli et al. 2016, arXiv 1511.04599)."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import _ball
from mspd_jax.attacks._attempts import no_candidate
from mspd_jax.attacks._boundary import nearest_plane, wrong_classes
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._nearest import keep_nearest
from mspd_jax.attacks._proposal import Predict, Proposal

# The authors' own, so that a walk which the box slows down does not end on a tie.
_PUSH = 1e-4


def deepfool(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    steps: int = 50,
    overshoot: float | jax.Array = 0.02,
    candidates: int = 10,
) -> Proposal:
    """Steps straight to the nearest linearized decision boundary, until it is crossed.

        x = clip01(image + (1 + overshoot) r),   r = 0 at first; while x is harmless:
        r = r + (|v| / |n|_2 + 1e-4) n / |n|_2      (l2)
        r = r + (|v| / |n|_1 + 1e-4) sign(n)        (linf),

    v < 0 the gap and n the gradient of z_k - z_label, for the class k whose boundary is
    nearest to x: |v| / |n|_q is least. Fast, and further off than FAB: it stops at the
    first adversarial point and never comes back.

    Arguments as in all attacks (`mspd_jax.attacks`); nothing is drawn from the key;
    eps = inf returns the point as found. overshoot: traced. candidates: static; the
    label and the candidates - 1 other classes with the highest logits are looked at.

    Returns a Proposal: the adversarial point brought into the eps ball, and minus its
    distance before that. If there is none, the point with most margin, and that margin.
    Costs steps + 1 gradients of candidates - 1 logits, and as many predictions.
    Deviations: x is kept in [0, 1], where images are; the authors leave it free. The
    candidates are ranked at each x, where the authors keep those of the image: a class
    that comes up on the way is not missed.
    """
    del key
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm, ("linf", "l2"))
    check_count("steps", steps)
    check_count("candidates", candidates, least=2)

    def sides(logits):
        above = wrong_classes(logits, label, count=min(candidates, logits.shape[0]) - 1)
        return above, jnp.full_like(above, label)

    def step(_, state):
        # Judge, then move: one prediction in the program, that of the gradient too.
        total, best = state
        x = jnp.clip(image + (1.0 + overshoot) * total, 0.0, 1.0)
        (value, normal), logits = nearest_plane(predict, x, sides, norm=norm)
        best, success = keep_nearest(best, x, image, logits, label, norm=norm)
        # Of a flat model the normal is zero; the largest entry of any other is 1.
        if norm == "linf":
            length, direction = jnp.sum(jnp.abs(normal)), jnp.sign(normal)
        else:
            length = jnp.sqrt(jnp.maximum(jnp.sum(jnp.square(normal)), 1.0))
            direction = normal / length
        move = (_PUSH - value / jnp.maximum(length, 1.0)) * direction
        return jnp.where(success, total, total + move), best

    state = (jnp.zeros_like(image), no_candidate(image))
    _, best = lax.fori_loop(0, steps + 1, step, state)
    x = _ball.project(best.image, image, eps=eps, norm=norm)
    return Proposal(x, best.loss)
