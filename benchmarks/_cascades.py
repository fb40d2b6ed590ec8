"""Variants of the cascade of MSPD, composed from the library's own parts.

An epoch moves the image by the mean of its draws' moves, each from a noisy start; with
s = -1 in an epoch F, which lowers the loss, and +1 in an epoch B:

    z_i = clip01(x + width u_i),   z_i <- P_B(x, eps)(z_i + s step sign(grad loss(z_i)))
    m <- momentum m - s mean_i (z_i - x),                          x <- P(x + rate m)

With the fields of `Variant` at their defaults this is `preempt.mcgs`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mspd_jax import attacks, preempt
from mspd_jax.attacks import ascend, ball_noise, project
from mspd_jax.attacks._transforms import diversify


class Variant(NamedTuple):
    """What an epoch does, and how many there are.

    epochs: F and B in order. samples: draws in each. draws: independent, antithetic,
    strata (the draws of each pixel fall into as many parts of the range) or both.
    width, step: in eps. diversity: probability that a draw is seen resized.
    """

    epochs: str = "FB"
    samples: int = 20
    draws: str = "independent"
    width: float = 1.0
    step: float = 1.0
    rate: float = 1.0
    momentum: float = 0.0
    loss: Callable = attacks.cross_entropy
    diversity: float = 0.0

    @property
    def passes(self) -> int:
        """Gradients of an image."""
        return len(self.epochs) * self.samples


class BiLevel(NamedTuple):
    """The baseline, cut to few steps."""

    outer: int
    inner: int
    rate: float

    @property
    def passes(self) -> int:
        """Gradients of an image."""
        return self.outer * (self.inner + 1)


def mean_answer(predicts: Sequence[Callable], image: jax.Array) -> jax.Array:
    """Log-probabilities by the geometric mean of several models'."""
    return sum(jax.nn.log_softmax(predict(image)) for predict in predicts) / len(
        predicts
    )


def smoothed_cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
    """Cross-entropy with a tenth of the label for all classes."""
    rest = -jax.nn.log_softmax(logits).mean()
    return 0.9 * attacks.cross_entropy(logits, label) + 0.1 * rest


def protect(
    key: jax.Array,
    predicts: Sequence[Callable],
    image: jax.Array,
    label: jax.Array,
    *,
    eps: jax.Array,
    labeler: Callable,
    variant: Variant | BiLevel,
) -> preempt.Protected:
    """One image, for the class that `labeler` sees; draw i asks surrogate i mod n."""
    label = preempt.assumed_label(predicts[0], image, label, labeler)
    if isinstance(variant, Variant):
        made = _cascade(key, predicts, image, label, eps, variant)
    else:
        made = preempt.bilevel(
            *(key, predicts[0], image, label),
            eps=eps,
            outer_steps=variant.outer,
            inner_steps=variant.inner,
            learning_rate=variant.rate,
        )
    return preempt.Protected(made, label)


def _cascade(key, predicts, image, label, eps, variant: Variant) -> jax.Array:
    x, memory = image, jnp.zeros_like(image)
    for number, epoch in enumerate(variant.epochs):
        own = jax.random.fold_in(key, number)
        sign = -1 if epoch == "F" else 1
        move = _mean_move(own, predicts, x, label, eps, variant, sign)
        memory = variant.momentum * memory - sign * move
        x = project(x + variant.rate * memory, image, eps=eps, norm="linf")
    return x


def _mean_move(key, predicts, x, label, eps, variant: Variant, sign: int) -> jax.Array:
    noise = variant.width * _noise(key, variant, x.shape, eps)
    ways = jax.random.split(jax.random.fold_in(key, 1), variant.samples)

    def move(predict, u, way):
        def loss(z):
            if variant.diversity:
                share = {"probability": variant.diversity, "resize": 0.8}
                z = diversify(way, z, **share)
            return variant.loss(predict(z), label)

        z = jnp.clip(x + u, 0.0, 1.0)
        slope = sign * jax.grad(loss)(z)
        step = {"eps": eps, "step_size": variant.step * eps, "norm": "linf"}
        return ascend(z, slope, x, **step) - x

    count, total = len(predicts), jnp.zeros_like(x)
    for at, predict in enumerate(predicts):
        moves = jax.vmap(lambda u, way, p=predict: move(p, u, way))
        if len(noise[at::count]):
            total = total + moves(noise[at::count], ways[at::count]).sum(axis=0)
    return total / variant.samples


def _noise(key, variant: Variant, shape, eps) -> jax.Array:
    """Uniform in the eps ball, [samples, *shape]."""
    count = variant.samples
    mirrored = variant.draws in ("antithetic", "both") and count % 2 == 0
    own = count // 2 if mirrored else count
    draw = jax.random.fold_in(key, 0)
    if variant.draws in ("strata", "both"):
        # Of each pixel by itself: a permutation of the parts, and a place in the part.
        one, other = jax.random.split(draw)
        part = jnp.argsort(jax.random.uniform(one, (own, *shape)), axis=0)
        place = (part + jax.random.uniform(other, (own, *shape))) / own
        noise = eps * (place if mirrored else 2.0 * place - 1.0)
        if mirrored:  # the parts are those of the size; the first sign is drawn
            coin = jax.random.fold_in(key, 2)
            first = jax.random.bernoulli(coin, shape=(own, *shape))
            noise = jnp.where(first, noise, -noise)
    else:
        keys = jax.random.split(draw, own)
        noise = jax.vmap(lambda k: ball_noise(k, shape, eps=eps, norm="linf"))(keys)
    if not mirrored:
        return noise
    return jnp.stack([noise, -noise], axis=1).reshape(count, *shape)
