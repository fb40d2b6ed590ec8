"""Objectives of classifiers: none, fgsm, fgsm_regularized, pgd and trades.

An objective is two functions: an adversary that changes one image, with the network
in evaluation mode, and a loss over the batch, with the network in training mode. Both
are callable pytrees whose floats are traced, so a new eps compiles nothing.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import NORMS, check_norm, random_start
from mspd_jax.train._adversary import (
    adversary,
    at_image,
    beside_image,
    divergence_loss,
    kl_divergence,
    label_loss,
)

# Equal static options give the same function, and so the same compilation.
fixed = functools.cache(functools.partial)


class Signals(NamedTuple):
    """By-products of a loss: running statistics, and training-mode logits [B, K].

    clean: on the images as augmented; None where the objective does not compute them.
    robust: the same on the adversary's images.
    """

    batch_stats: dict
    clean: jax.Array | None
    robust: jax.Array | None


class Objective(NamedTuple):
    """An adversary and the loss on what it proposes.

    Attributes:
      adversary: (key, predict, image, label) -> image, per example, or whatever else
        the loss takes as `adversarial`; None for no attack.
      loss: (forward, batch_stats, images, adversarial, labels) -> (loss [], Signals),
        where forward: (batch_stats, images) -> (outputs of the network [B, ...],
        batch_stats); its keywords `edit` and `time` are as of `models.train_outputs`.
    """

    adversary: Callable | None
    loss: Callable


def clean_loss(forward, batch_stats, images, adversarial, labels, *, smoothing):
    """Mean cross-entropy on the images as they are."""
    del adversarial
    logits, batch_stats = forward(batch_stats, images)
    loss = cross_entropies(logits, labels, smoothing).mean()
    return loss, Signals(batch_stats, logits, None)


def adversarial_loss(forward, batch_stats, images, adversarial, labels, *, smoothing):
    """Mean cross-entropy on the adversary's images (Madry et al. 2018)."""
    del images
    logits, batch_stats = forward(batch_stats, adversarial)
    loss = cross_entropies(logits, labels, smoothing).mean()
    return loss, Signals(batch_stats, None, logits)


def weighed_loss(
    forward, batch_stats, images, adversarial, labels, *, smoothing, beta, part
):
    """CE(f(x), y) + beta part(f(x), f(x'), y, smoothing), batch means.

    The gradient flows through both outputs. The running statistics see the clean batch,
    then the adversarial one. beta = 0 is `clean_loss`, but for those.
    """
    clean, batch_stats = forward(batch_stats, images)
    robust, batch_stats = forward(batch_stats, adversarial)
    loss = cross_entropies(clean, labels, smoothing).mean()
    loss = loss + beta * part(clean, robust, labels, smoothing).mean()
    return loss, Signals(batch_stats, clean, robust)


def regularized_part(clean, robust, labels, smoothing):
    """CE(f(x'), y) (Goodfellow et al. 2015, section 6)."""
    del clean
    return cross_entropies(robust, labels, smoothing)


def trades_part(clean, robust, labels, smoothing):
    """KL(f(x) || f(x')) (Zhang et al. 2019, eq. 5)."""
    del labels, smoothing
    return kl_divergence(clean, robust)


def objective(
    name: str,
    *,
    eps: float | None = None,
    norm: str = "linf",
    steps: int | None = None,
    step_size: float | None = None,
    beta: float | None = None,
    smoothing: float = 0.0,
) -> Objective:
    """Builds an objective by name.

    Args:
      name: "none", "fgsm" (random start and one step of 1.25 eps: Wong et al. 2020),
        "fgsm_regularized" (one step of eps from the image, and the image itself: with
        beta = 1 the recipe of Pei et al. 2022, arXiv 2205.10617), "pgd" (random start
        and 10 steps: Madry et al. 2018) or "trades" (10 steps on KL).
      eps: radius of the ball in pixels; required but for "none".
      norm: "linf", "l2" or, where there are several steps, "l1".
      steps: gradient steps of the adversary.
      step_size: default min(1.25, 2.5 / steps) * eps, which is eps / 4 for 10 steps,
        and takes "fgsm_regularized" to the border of the ball.
      beta: weight of the adversary's part of the loss: by default 6 for "trades", 1 for
        "fgsm_regularized"; the others have none.
      smoothing: of labels, in [0, 1).

    Returns:
      The objective. Raises ValueError for what it cannot use.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"objective {name!r}: expected one of {sorted(OBJECTIVES)}")
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"`smoothing`: expected a number in [0, 1), got {smoothing}")
    share = jnp.asarray(smoothing, jnp.float32)
    if name == "none":
        return Objective(None, Partial(clean_loss, smoothing=share))
    if eps is None or not eps > 0:
        raise ValueError(
            f"`eps`: objective {name!r} needs a positive radius, got {eps}"
        )
    recipe = OBJECTIVES[name]
    steps = recipe.steps if steps is None else steps
    if steps < 1 or (recipe.steps == 1 and steps != 1):
        raise ValueError(f"`steps`: {steps} does not suit objective {name!r}")
    check_norm(norm, NORMS if recipe.steps > 1 else ("linf", "l2"))
    step_size = min(1.25, 2.5 / steps) * eps if step_size is None else step_size
    inner = {"start": recipe.start, "loss": recipe.inner}
    attack = Partial(
        fixed(adversary, **inner, steps=steps, norm=norm),
        eps=jnp.asarray(eps, jnp.float32),
        step_size=jnp.asarray(step_size, jnp.float32),
    )
    if recipe.part is None:
        return Objective(attack, Partial(adversarial_loss, smoothing=share))
    weight = jnp.asarray(recipe.beta if beta is None else beta, jnp.float32)
    loss = fixed(weighed_loss, part=recipe.part)
    return Objective(attack, Partial(loss, smoothing=share, beta=weight))


def trades(*, eps: float, **options: Any) -> Objective:
    """TRADES (Zhang et al. 2019, arXiv 1901.08573), eq. 5:

        CE(f(x), y) + beta max_{x' in the eps ball} KL(f(x) || f(x')).

    Its arguments are those of `objective`; beta is 6 and there are 10 steps by default.

    Example:
      model = train.fit(key, spec, images, labels, objective=train.trades(eps=8 / 255),
                        optimizer=train.optimizer(learning_rate=0.1), epochs=30,
                        batch_size=128)
    """
    return objective("trades", eps=eps, **options)


class _Recipe(NamedTuple):
    """What a name stands for: where the adversary starts, the loss that it raises, its
    usual steps; the part of the objective that has a weight, and the usual one."""

    start: Callable
    inner: Callable
    steps: int
    part: Callable | None = None
    beta: float = 0.0


OBJECTIVES: dict[str, Any] = {
    "none": None,
    "fgsm": _Recipe(random_start, label_loss, 1),
    "fgsm_regularized": _Recipe(at_image, label_loss, 1, regularized_part, 1.0),
    "pgd": _Recipe(random_start, label_loss, 10),
    "trades": _Recipe(beside_image, divergence_loss, 10, trades_part, 6.0),
}


def cross_entropies(
    logits: jax.Array, labels: jax.Array, smoothing: jax.Array | None = None
) -> jax.Array:
    """Cross-entropy [B] with the target (1 - smoothing) * one_hot + smoothing / K.

    optax.smooth_labels and its cross-entropies sum over the classes, which rounds
    otherwise in the last bit.
    """
    log_p = jax.nn.log_softmax(logits)
    chosen = jnp.take_along_axis(log_p, labels[:, None], axis=-1)[:, 0]
    if smoothing is None:
        return -chosen
    return -(1.0 - smoothing) * chosen - smoothing * log_p.mean(axis=-1)
