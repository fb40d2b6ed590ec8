"""The one place that decides whether an attack succeeded."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from mspd_jax.attacks import distance, fooled, project


class Verdict(NamedTuple):
    """What an attack's proposal is worth.

    Attributes:
      image: [H, W, C], the proposal inside the eps ball and [0, 1]; the original where
        the proposal was not finite.
      prediction: int32 [], class of `image`; -1 if the logits hold a NaN.
      found: bool [], whether the attack succeeded at `image`.
      finite: bool [], whether the proposal was finite and the logits held no NaN. False
        says that the attack or the model is broken: report it.
      linf: [], largest absolute change of a pixel of `image` from the original.
      l2: [], Euclidean length of that change.
      l1: [], sum of its absolute values.
    """

    image: jax.Array
    prediction: jax.Array
    found: jax.Array
    finite: jax.Array
    linf: jax.Array
    l2: jax.Array
    l1: jax.Array


def judge(
    predict, original, image, label, *, eps, norm, target=None, eight_bit=False
) -> Verdict:
    """Projects a proposal into the threat model, predicts again, and decides.

        found = argmax predict(P(image)) != label     (== target, where one is given)

    Guarantee: `found` never rests on what the attack says of itself, on a point outside
    the ball or the box, or on a NaN pixel: such a proposal counts as no attack, that
    is, as the original. A NaN among the logits counts as a misclassification, so that a
    broken model is never reported as robust.

    eight_bit: static; judge what is left of the proposal in an 8-bit file, that is, at
    the level between it and the original that is next to it. An original that is itself
    no 8-bit image may then be left by more than eps: such a file is no success.

    original, image: [H, W, C]; label: int [], known (>= 0); eps: in pixels, traced.
    """
    chex.assert_equal_shape([original, image])
    chex.assert_rank([original, label], [3, 0])
    usable = jnp.all(jnp.isfinite(image))
    image = jnp.where(usable, image, original)
    image = project(image, original, eps=eps, norm=norm)
    allowed = True
    if eight_bit:
        image = _stored(image, original)
        allowed = distance(image, original, norm=norm) <= eps + 1e-6
    logits = predict(image)
    prediction = decision(logits)
    return Verdict(
        image=image,
        prediction=prediction,
        found=fooled(logits, label, target=target) & allowed,
        finite=usable & (prediction >= 0),
        linf=distance(image, original, norm="linf"),
        l2=distance(image, original, norm="l2"),
        l1=distance(image, original, norm="l1"),
    )


def decision(logits: jax.Array) -> jax.Array:
    """The class that logits [K] name, int32 []; -1 if one of them is NaN."""
    decided = ~jnp.any(jnp.isnan(logits))
    return jnp.where(decided, jnp.argmax(logits), -1).astype(jnp.int32)


def _stored(image, original):
    """The image in whole levels of 255, rounded towards the original."""
    # 1e-3: a level that float32 has missed by its last digit is that level.
    lower = jnp.floor(image * 255.0 + 1e-3)
    upper = jnp.ceil(image * 255.0 - 1e-3)
    return jnp.where(image > original, lower, upper) / 255.0
