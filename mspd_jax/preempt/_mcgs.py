"""Minimal Cascade Gradient Smoothing, the heart of MSPD (arXiv 2407.15524).

Two kinds of epochs, each one smoothed step S (see `_smooth.py`), learning rate r:

    forward :  x <- P(x + r * (S_-(x) - x))     make the loss of the label small
    backward:  x <- P(x - r * (S_+(x) - x))     step away from the attack found at x

The ball of S is centered at the current x; P projects onto the ball around the
*original* image and onto [0, 1]. The paper runs one epoch of each.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mspd_jax.attacks import project
from mspd_jax.preempt._noise import smoothing_noise
from mspd_jax.preempt._smooth import Predict, chunked_smoothed_step, smoothed_step


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

    Returns:
      A Cascade.
    """

    def smooth(epoch, x, direction):
        draw = functools.partial(
            smoothing_noise,
            jax.random.fold_in(key, epoch),
            shape=image.shape,
            eps=eps,
            norm=norm,
            antithetic=antithetic,
        )
        return chunked_smoothed_step(
            predict,
            x,
            label,
            draw,
            num_samples=num_samples,
            chunk=chunk,
            eps=eps,
            direction=direction,
            steps=steps,
            step_size=step_size,
            norm=norm,
        )

    return _cascade(
        smooth, image, forward_epochs, backward_epochs, learning_rate, eps, norm
    )


def mcgs_from_noise(
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    noise: jax.Array,
    *,
    eps: float | jax.Array,
    forward_epochs: int = 1,
    steps: int = 1,
    step_size: float | jax.Array | None = None,
    learning_rate: float | jax.Array = 1.0,
    norm: str = "linf",
) -> Cascade:
    """MCGS with the noise as an argument, for exact comparison with other code.

    Args:
      noise: [epochs, N, H, W, C]; the first `forward_epochs` rows serve the forward
        epochs, the others the backward epochs.
      predict, image, label, eps, forward_epochs, steps, step_size, learning_rate, norm:
        as in `mcgs`.

    Returns:
      A Cascade.
    """

    def smooth(epoch, x, direction):
        return smoothed_step(
            predict,
            x,
            label,
            noise[epoch],
            eps=eps,
            direction=direction,
            steps=steps,
            step_size=step_size,
            norm=norm,
        )

    backward_epochs = noise.shape[0] - forward_epochs
    return _cascade(
        smooth, image, forward_epochs, backward_epochs, learning_rate, eps, norm
    )


def _cascade(smooth, image, forward_epochs, backward_epochs, rate, eps, norm):
    if forward_epochs < 0 or backward_epochs < 0:
        raise ValueError(
            "forward_epochs and backward_epochs must not be negative, got "
            f"{forward_epochs} and {backward_epochs}"
        )
    rate = jnp.asarray(rate, jnp.float32)
    keep = functools.partial(project, image=image, eps=eps, norm=norm)
    x = image
    for epoch in range(forward_epochs):
        x = keep(x + rate * (smooth(epoch, x, -1) - x))
    forward = x
    for epoch in range(forward_epochs, forward_epochs + backward_epochs):
        x = keep(x - rate * (smooth(epoch, x, +1) - x))
    return Cascade(forward, x)
