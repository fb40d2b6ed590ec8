"""SPSA, ascent on a guessed gradient (Uesato et al. 2018, arXiv 1802.05666)."""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._adam import adam, no_moments
from mspd_jax.attacks._attempts import Candidate, best_attempt
from mspd_jax.attacks._ball import project
from mspd_jax.attacks._checks import check_count, check_norm
from mspd_jax.attacks._losses import loss_and_success, margin
from mspd_jax.attacks._proposal import Predict, Proposal


def spsa(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    steps: int = 100,
    samples: int = 128,
    delta: float | jax.Array = 0.01,
    learning_rate: float | jax.Array = 0.01,
    restarts: int = 1,
    first: int | jax.Array = 0,
    target: jax.Array | int | None = None,
    chunk: int = 32,
) -> Proposal:
    """Adam on the margin, whose gradient is estimated from pairs of predictions.

        g = mean over i of v_i (f(x + delta v_i) - f(x - delta v_i)) / (2 delta),
        x' = P(x + learning_rate * adam(g)),  v_i uniform on {-1, 1}^(H, W, C)

    Guarantee: for linear f the mean of g is the gradient; the model is asked exactly
    restarts * (2 * steps * samples + 1) times, and never for a gradient.

    Arguments as in all attacks (`mspd_jax.attacks`); delta, learning_rate: in pixels,
    traced. samples (pairs), chunk: static; as many pairs as divide `samples` and are at
    most `chunk` are predicted at once.

    Returns a Proposal, at the end points. Memory of 2 * chunk predictions. The points
    asked about may lie up to `delta` outside [0, 1], as in the reference.
    """
    chex.assert_rank([image, label], [3, 0])
    check_norm(norm, ("linf", "l2"))
    for name, count in (("steps", steps), ("samples", samples), ("chunk", chunk)):
        check_count(name, count)
    check_count("restarts", restarts)
    value = loss_and_success(predict, label, target=target, loss=margin)

    guess = {"delta": delta, "samples": samples, "chunk": chunk}

    def restart(number):
        restart_key = jax.random.fold_in(key, number)

        def step(t, state):
            x, moments = state
            step_key = jax.random.fold_in(restart_key, t)
            gradient = estimate_gradient(step_key, lambda z: value(z)[0], x, **guess)
            update, moments = adam(moments, gradient)
            x = project(x + learning_rate * update, image, eps=eps, norm=norm)
            return x, moments

        x, _ = lax.fori_loop(0, steps, step, (image, no_moments(image)))
        return Candidate(x, *value(x))

    return best_attempt(restart, image, attempts=restarts, first=first)


def estimate_gradient(key, function, x, *, delta, samples, chunk) -> jax.Array:
    """The mean of `samples` two-sided differences along random signs, [H, W, C].

    function: [H, W, C] -> []. A pair whose difference is not finite counts as zero.
    """
    at_once = max(n for n in range(1, min(chunk, samples) + 1) if samples % n == 0)

    def add(number, total):
        shape = (at_once, *x.shape)
        draw_key = jax.random.fold_in(key, number)
        sign = jax.random.rademacher(draw_key, shape, dtype=x.dtype)
        # Both sides in one batch, so that the model stands in the program once.
        sides = jnp.concatenate([x[None] + delta * sign, x[None] - delta * sign])
        values = jax.vmap(function)(sides).reshape(2, at_once)
        slope = (values[0] - values[1]) / (2.0 * delta)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        return total + jnp.tensordot(slope, sign, axes=1)

    total = lax.fori_loop(0, samples // at_once, add, jnp.zeros_like(x))
    return total / samples
