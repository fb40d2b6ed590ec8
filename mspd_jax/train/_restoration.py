"""The objective of a restoration network (TRN, arXiv 2202.01117)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.defenses import gradient_map
from mspd_jax.errors import InputError
from mspd_jax.models import LABEL_RULES
from mspd_jax.train._mix import Mix, mixed_adversary
from mspd_jax.train._objective import Objective, Signals, cross_entropies, fixed

# Whom a restoration network may be trained against.
ATTACKERS = ("unaware", "adaptive")


def restoration_objective(
    classifier: Callable,
    mix: Mix,
    *,
    rule: str,
    ce_weight: float,
    attacker: str = "unaware",
) -> Objective:
    """The objective of a Two-stream Restoration Network T.

        mean |z - x|_1 / pixels + ce_weight * CE(f(z), y),
        z = clip01(T(x', map(x')))

    with x' the image x under an attack of the mix, and the gradient map of f, the fixed
    classifier, by `rule`, which depends on no label. The weights of f do not move; the
    signals' robust accuracy is that of f on z.

    rule: one of `models.LABEL_RULES`. attacker: "unaware" attacks f alone, as in the
    paper; "adaptive" attacks f behind T as T stands, the map held fixed at each step.
    Raises InputError for what it cannot use.
    """
    if attacker not in ATTACKERS:
        raise InputError(f"`attacker` must be one of {ATTACKERS}, got {attacker!r}")
    if rule not in LABEL_RULES:
        raise InputError(f"`rule` must be one of {list(LABEL_RULES)}, got {rule!r}")
    if not ce_weight >= 0:
        raise InputError(f"`ce_weight` must not be negative, got {ce_weight}")
    loss = Partial(
        fixed(_loss, rule=rule), classifier=classifier, ce_weight=jnp.asarray(ce_weight)
    )
    victim = _alone if attacker == "unaware" else fixed(_behind, rule=rule)
    victim = Partial(victim, classifier=classifier)
    return Objective(mixed_adversary(mix, victim), loss)


def _alone(predict, image, *, classifier):
    """The classifier of an attacker who knows of no network in front of it."""
    del predict
    return classifier(image)


def _behind(predict, image, *, classifier, rule):
    """The classifier behind the network in training.

    The map is a constant: what its own gradient adds is second order, and costs more
    than all the rest.
    """
    maps = jax.lax.stop_gradient(gradient_map(classifier, image, rule=rule))
    restored = predict(jnp.concatenate([image, maps], axis=-1))
    return classifier(jnp.clip(restored, 0.0, 1.0))


def _loss(
    forward, batch_stats, images, adversarial, labels, *, classifier, ce_weight, rule
):
    """The batch's mean of the loss above, and its signals."""
    maps = jax.vmap(
        lambda x: jax.lax.stop_gradient(gradient_map(classifier, x, rule=rule))
    )
    seen = jnp.concatenate([adversarial, maps(adversarial)], axis=-1)
    restored, batch_stats = forward(batch_stats, seen)
    restored = jnp.clip(restored, 0.0, 1.0)
    logits = jax.vmap(classifier)(restored)
    surprise = cross_entropies(logits, labels).mean()
    loss = jnp.mean(jnp.abs(restored - images)) + ce_weight * surprise
    return loss, Signals(batch_stats, None, logits)
