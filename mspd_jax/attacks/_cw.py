"""Carlini and Wagner's attack (2017, arXiv 1608.04644), in l2 and linf."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks import _ball
from mspd_jax.attacks._adam import adam, no_moments
from mspd_jax.attacks._attempts import no_candidate
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._losses import margin, objective
from mspd_jax.attacks._nearest import distance, keep_nearest
from mspd_jax.attacks._proposal import Predict, Proposal

# The authors' constants: the variable's start must be finite at black and white; c
# grows tenfold until it is large enough; tau shrinks by a tenth.
_ALMOST_ONE = 0.999999
_GROWTH = 10.0
_SHRINK = 0.9


def cw(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "l2",
    steps: int = 50,
    learning_rate: float | jax.Array = 0.01,
    c: float | jax.Array = 1.0,
    kappa: float | jax.Array = 0.0,
    searches: int = 1,
    target: jax.Array | int | None = None,
) -> Proposal:
    """Adam on distance plus c times a hinge, over a variable that cannot leave the box.

        x = (tanh(w) + 1) / 2,   min over w of  far(x) + c * max(kappa - M(x), 0),
        l2:    far = |x - image|_2^2
        linf:  far = sum(max(|x - image| - tau, 0)),
               tau = min(tau, 0.9 |x - image|_inf) at each success; at first eps, or 1

    M is the margin, > 0 iff adversarial. A success has M >= kappa; the nearest is kept.

    Arguments as in all attacks (`mspd_jax.attacks`); nothing is drawn from the key;
    eps = inf returns the point as found. learning_rate, c, kappa: traced. searches:
    static; with searches > 1, each of `steps`, c is halved or raised between the last
    success and the last failure, and tenfold as long as there is no success.

    Returns a Proposal: the nearest success, brought into the eps ball, and minus its
    distance before that. If there is none, the point with most margin, and that margin.
    Costs searches * (steps + 1) gradients.
    Deviation: in linf the authors run Adam anew for each tau, up to 1000 steps; here
    tau shrinks on the way, which keeps the cost that of l2.
    """
    del key
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm, ("linf", "l2"))
    check_count("steps", steps)
    check_count("searches", searches)
    start = jnp.arctanh((2.0 * image - 1.0) * _ALMOST_ONE)
    first_tau = jnp.where(jnp.isinf(eps), 1.0, eps) * jnp.ones_like(image, shape=())

    def cost(w, weight, tau):
        x = 0.5 * (jnp.tanh(w) + 1.0)
        logits = predict(x)
        gap = objective(logits, label, target=target, loss=margin)
        if norm == "l2":
            far = jnp.sum(jnp.square(x - image))
        else:
            far = jnp.sum(jnp.maximum(jnp.abs(x - image) - tau, 0.0))
        return far + weight * jnp.maximum(kappa - gap, 0.0), (x, logits)

    def descend(weight, best):
        """One run of Adam at one c: (best, whether it had a success)."""

        def step(number, state):
            # Judge, then move: one gradient in the program. The last move is wasted.
            w, moments, tau, best, ever = state
            gradient, (x, logits) = jax.grad(cost, has_aux=True)(w, weight, tau)
            # The variable stops a hair short of black and white; the image does not.
            x = jnp.where(number == 0, image, x)
            best, success = keep_nearest(
                best, x, image, logits, label, target=target, norm=norm, least=kappa
            )
            shorter = jnp.minimum(tau, _SHRINK * distance(x, image, norm="linf"))
            tau = jnp.where(success, shorter, tau)
            gradient = jnp.nan_to_num(gradient, posinf=1e18, neginf=-1e18)
            move, moments = adam(moments, gradient)
            w = w - learning_rate * move
            return w, moments, tau, best, ever | success

        state = (start, no_moments(start), first_tau, best, jnp.array(False))
        *_, best, ever = lax.fori_loop(0, steps + 1, step, state)
        return best, ever

    def search(_, state):
        best, weight, low, high = state
        best, ever = descend(weight, best)
        high = jnp.where(ever, jnp.minimum(high, weight), high)
        low = jnp.where(ever, low, jnp.maximum(low, weight))
        between = jnp.where(jnp.isinf(high), _GROWTH * weight, 0.5 * (low + high))
        return best, between, low, high

    best = no_candidate(image)
    weight = c * jnp.ones_like(image, shape=())
    if searches == 1:  # no loop for the compiler to look at
        best, _ = descend(weight, best)
    else:
        ends = (jnp.zeros_like(weight), jnp.full_like(weight, jnp.inf))
        best = lax.fori_loop(0, searches, search, (best, weight, *ends))[0]
    x = _ball.project(best.image, image, eps=eps, norm=norm)
    return Proposal(x, best.loss)
