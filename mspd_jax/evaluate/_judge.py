"""The one place that decides whether an attack succeeded."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from mspd_jax.attacks import fooled, project


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
    """

    image: jax.Array
    prediction: jax.Array
    found: jax.Array
    finite: jax.Array
    linf: jax.Array
    l2: jax.Array


def judge(predict, original, image, label, *, eps, norm, target=None) -> Verdict:
    """Projects a proposal into the threat model, predicts again, and decides.

        found = argmax predict(P(image)) != label     (== target, where one is given)

    Guarantee: `found` never rests on what the attack says of itself, on a point outside
    the ball or the box, or on a NaN pixel: such a proposal counts as no attack, that
    is, as the original. A NaN among the logits counts as a misclassification, so that a
    broken model is never reported as robust.

    original, image: [H, W, C]; label: int [], known (>= 0); eps: in pixels, traced.
    """
    chex.assert_equal_shape([original, image])
    chex.assert_rank([original, label], [3, 0])
    usable = jnp.all(jnp.isfinite(image))
    image = jnp.where(usable, image, original)
    image = project(image, original, eps=eps, norm=norm)
    logits = predict(image)
    decided = ~jnp.any(jnp.isnan(logits))
    prediction = jnp.where(decided, jnp.argmax(logits), -1).astype(jnp.int32)
    change = image - original
    return Verdict(
        image=image,
        prediction=prediction,
        found=fooled(logits, label, target=target),
        finite=usable & decided,
        linf=jnp.max(jnp.abs(change)),
        l2=jnp.sqrt(jnp.sum(jnp.square(change))),
    )
