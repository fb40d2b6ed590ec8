"""MSPD: protect an image before it is released, and try to undo the protection."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mspd_jax.attacks import project
from mspd_jax.preempt._mcgs import mcgs
from mspd_jax.preempt._smooth import Predict

_ROUND_RATE = 0.5  # full steps overshoot: a mean of signs is no line


class Protected(NamedTuple):
    """A protected image and the label that it was protected for.

    image: [H, W, C] in [0, 1], within eps of the original.
    label: int [], the class whose loss was made small.
    """

    image: jax.Array
    label: jax.Array


class Reverted(NamedTuple):
    """The outcome of Preemptive Reversion.

    image: [H, W, C] in [0, 1].
    label: int [], the class that the attacker assumed.
    clipped: float [], the largest distance that clipping to [0, 1] took away in one
    round; of several, whose steps end there anyway, 0.
    """

    image: jax.Array
    label: jax.Array
    clipped: jax.Array


def assumed_label(
    predict: Predict, image: jax.Array, label: jax.Array, labeler: Predict | str
) -> jax.Array:
    """The label to work for, int [].

    labeler: another classifier (the paper's *decoupled* labels), "coupled" (the own
    prediction of the surrogate `predict`) or "truth" (`label`, the true class: an
    oracle, to be marked as such wherever its figures are shown).
    """
    if isinstance(labeler, str):
        if labeler not in ("coupled", "truth"):
            raise ValueError(
                f"labeler must be a predict, 'coupled' or 'truth', got {labeler!r}"
            )
        if labeler == "truth":
            return label
        labeler = predict
    return jnp.argmax(labeler(image)).astype(jnp.int32)


def protect(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    labeler: Predict | str = "coupled",
    **options,
) -> Protected:
    """MSPD of one image with the surrogate `predict` (arXiv 2407.15524).

    The surrogate must itself be adversarially trained: with an ordinary one nothing
    transfers.

        key = jax.random.key(0)
        protected = preempt.protect(key, surrogate, image, label, eps=8 / 255)
        levels = data.quantize(protected.image, image, eps=8 / 255, norm="linf")
        data.write_png("protected.png", levels)

    Args:
      key: of the noise, one for each image.
      predict: [H, W, C] -> [K], the surrogate, a callable pytree.
      image: [H, W, C] in [0, 1].
      label: int [], used only where `labeler` is "truth".
      eps: radius of the change in pixels, traced.
      labeler: whose label, another classifier, "coupled" or "truth" (`assumed_label`).
      **options: those of `mcgs`.

    Returns:
      A Protected.
    """
    label = assumed_label(predict, image, label, labeler)
    return Protected(mcgs(key, predict, image, label, eps=eps, **options).image, label)


def revert(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    labeler: Predict | str = "coupled",
    rounds: int = 1,
    **options,
) -> Reverted:
    """Preemptive Reversion, the white-box diagnostic: clip01(2 * p - MCGS(p)).

    The attacker knows the method, its options and the surrogate; not the key.

    That is the attack of the paper, in one round. Several look for the image that MCGS
    makes p of, from x = p, with P the projection onto the ball around p (it holds the
    original) and onto [0, 1]:

        x <- P(x + 1/2 (p - MCGS(x)))

    Deviation: the reference code does not clip, so that its result leaves [0, 1].

    Args:
      key: of the attacker's own noise.
      image: [H, W, C] in [0, 1], the protected image p.
      eps: radius that the attacker assumes, in pixels, traced.
      rounds: static; costs that many times a protection.
      predict, label, labeler, **options: as in `protect`.

    Returns:
      A Reverted.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    label = assumed_label(predict, image, label, labeler)
    if rounds > 1:
        options |= {"eps": eps}
        found = _unprotected(key, predict, image, label, rounds=rounds, **options)
        return Reverted(found, label, jnp.zeros(()))
    q = mcgs(key, predict, image, label, eps=eps, **options).image
    reverted = 2.0 * image - q
    inside = jnp.clip(reverted, 0.0, 1.0)
    return Reverted(inside, label, jnp.max(jnp.abs(reverted - inside)))


def _unprotected(key, predict, image, label, *, rounds: int, **options) -> jax.Array:
    """Near where MCGS(x) = `image`, by rounds of half of what is missing."""
    ball = {"eps": options["eps"], "norm": options.get("norm", "linf")}

    def nearer(x, own_key):
        missing = image - mcgs(own_key, predict, x, label, **options).image
        return project(x + _ROUND_RATE * missing, image, **ball), None

    return jax.lax.scan(nearer, image, jax.random.split(key, rounds))[0]
