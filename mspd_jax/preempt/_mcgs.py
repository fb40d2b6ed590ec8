"""Minimal Cascade Gradient Smoothing, the heart of MSPD (arXiv 2407.15524).

Two kinds of epochs, each one smoothed step S (see `_smooth.py`), learning rate r:

    forward :  x <- P(x + r * (S_-(x) - x))     make the loss of the label small
    backward:  x <- P(x - r * (S_+(x) - x))     step away from the attack found at x

The ball of S is centered at the current x; P projects onto the ball around the
*original* image and onto [0, 1]. The paper runs one epoch of each.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from mspd_jax.attacks import ball_noise, project
from mspd_jax.preempt._smooth import Predict, smoothed_step


class Cascade(NamedTuple):
    """What the cascade passed through and where it ended.

    forward: [H, W, C], the image after the forward epochs.
    image: [H, W, C], the image after the backward epochs, the result.
    """

    forward: jax.Array
    image: jax.Array


def mcgs(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    num_samples: int = 20,
    steps: int = 1,
    step_size: float | jax.Array | None = None,
    learning_rate: float | jax.Array = 1.0,
    forward_epochs: int = 1,
    backward_epochs: int = 1,
    norm: str = "linf",
    antithetic: bool = False,
    chunk: int = 20,
    noise: jax.Array | None = None,
    others: Sequence[Predict] = (),
) -> Cascade:
    """MCGS of one image; the result is a pure function of the key and the image.

    Both results lie in the eps ball around `image` and in [0, 1]. Costs
    (forward_epochs + backward_epochs) * num_samples * steps forward and backward
    passes. Not meant to be differentiated through (signs).

    Args:
      key: of the noise; epoch number e draws from fold_in(key, e).
      predict: [H, W, C] -> [K], the surrogate, a callable pytree.
      image: [H, W, C] in [0, 1].
      label: int [], the class that the image is protected for.
      eps: radius of the ball in pixels, traced.
      num_samples: the paper's N, static.
      steps: the paper's K, static.
      step_size: in pixels, traced; eps by default.
      learning_rate: r, traced.
      forward_epochs, backward_epochs: how many of each, static.
      norm: "linf" or "l2".
      antithetic: whether draws come in pairs u and -u.
      chunk: how many noisy copies are worked on at once; bounds memory.
      noise: [epochs, num_samples, H, W, C], to take in the place of draws, for exact
        comparison with other code; the forward epochs come first.
      others: further surrogates of the same classes. They share the draws, at the cost
        of one: of n surrogates, number i mod n is asked with draw i.

    Returns:
      A Cascade.
    """
    if forward_epochs < 0 or backward_epochs < 0:
        raise ValueError(
            "forward_epochs and backward_epochs must not be negative, got "
            f"{forward_epochs} and {backward_epochs}"
        )
    epochs = forward_epochs + backward_epochs
    if noise is not None:
        chex.assert_shape(noise, (epochs, num_samples, *image.shape))
    rate = jnp.asarray(learning_rate, jnp.float32)
    ball = {"eps": eps, "norm": norm}
    keep = functools.partial(project, image=image, eps=eps, norm=norm)
    walk = {"steps": steps, "step_size": step_size, "chunk": chunk, **ball}
    surrogates = (predict, *others)[: max(num_samples, 1)]
    turns = range(len(surrogates))

    def smooth(epoch, x, direction):
        epoch_key = jax.random.fold_in(key, epoch)

        def draw(numbers):
            if noise is not None:
                return noise[epoch, numbers]
            return smoothing_noise(
                epoch_key, numbers, image.shape, antithetic=antithetic, **ball
            )

        def mean(turn, own, count):
            mine = functools.partial(_taking_turns, draw, turn, len(surrogates))
            step = {"num_samples": count, "direction": direction, **walk}
            return smoothed_step(own, x, label, mine, **step)

        if len(surrogates) == 1:  # the same bits as ever
            return mean(0, predict, num_samples)
        counts = [len(range(n, num_samples, len(surrogates))) for n in turns]
        means = map(mean, turns, surrogates, counts)
        return sum(c * m for c, m in zip(counts, means, strict=True)) / num_samples

    x = image
    for epoch in range(forward_epochs):
        x = keep(x + rate * (smooth(epoch, x, -1) - x))
    forward = x
    for epoch in range(forward_epochs, epochs):
        x = keep(x - rate * (smooth(epoch, x, +1) - x))
    return Cascade(forward, x)


def _taking_turns(draw, turn: int, count: int, numbers: jax.Array) -> jax.Array:
    """The draws of one of `count`, whose number is `turn`."""
    return draw(turn + count * numbers)


def smoothing_noise(
    key: jax.Array,
    draws: jax.Array,
    shape: tuple[int, ...],
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    antithetic: bool = False,
) -> jax.Array:
    """Noise that is uniform in the ball of radius `eps`, one row per draw number.

    With `antithetic`, draws 2j and 2j + 1 are u and -u: their mean has no linear
    error, so that four draws smooth about as well as twenty independent ones.
    No gradient flows into the noise.

    key: draw number i uses fold_in(key, i). draws: int [n], their numbers. shape,
    antithetic: static; eps: in pixels, traced. Returns [n, *shape].
    """

    def draw(number):
        address = jax.random.fold_in(key, number // 2 if antithetic else number)
        noise = ball_noise(address, shape, eps=eps, norm=norm)
        return jnp.where(number % 2 == 1, -noise, noise) if antithetic else noise

    return jax.vmap(draw)(draws)
