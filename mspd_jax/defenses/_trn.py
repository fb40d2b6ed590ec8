"""The Two-stream Restoration Network in front of the classifier it was made for."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.defenses._gradient_map import gradient_map
from mspd_jax.models import Model, as_pytree, behind, map_restorer


def restoration(trn: Model, predict: Callable, *, detach: bool = False) -> Partial:
    """What the network makes of an image, told the classifier's gradient map.

        x -> clip01(trn(x, gradient_map(f, x))),   the map by the network's own rule

    trn: a restoration network, as train_trn makes them; predict: the classifier f whose
    gradient is shown to it, [H, W, C] -> [K]. Weights of both stay leaves. Gradient
    flows through the map as well (second derivatives of f), unless `detach`: an
    adaptive attacker tries both. Costs a prediction and, for each map, a backward pass.
    """
    function = _restoring(trn.spec.options.get("rule", "predicted"), detach)
    return Partial(function, map_restorer(trn), as_pytree(predict))


def restore(trn: Model, predict: Callable) -> Partial:
    """The classifier behind its restoration network (arXiv 2202.01117).

        x -> f(clip01(trn(x, gradient_map(f, x))))

    The published evaluation attacks f alone and restores what comes of it. An attacker
    who differentiates this function meets little resistance: see `launch.evaluate
    --defense=trn:CKPT`, which reports both.
    """
    return behind(restoration(trn, predict), predict)


@functools.cache
def _restoring(rule, detach):
    # One object for each pair: a new one would compile again.
    return functools.partial(_restored, rule=rule, detach=detach)


def _restored(network, predict, image, *, rule, detach):
    return restored(network, image, mapped(predict, image, rule=rule, detach=detach))


def mapped(predict, image, *, rule: str, detach: bool = False) -> jax.Array:
    """The gradient map that a restoration network reads, if need be as a constant."""
    maps = gradient_map(predict, image, rule=rule)
    return jax.lax.stop_gradient(maps) if detach else maps


def restored(network, image, maps) -> jax.Array:
    """What a network (`models.map_restorer`) makes of an image and its maps."""
    return jnp.clip(network(jnp.concatenate([image, maps], axis=-1)), 0.0, 1.0)
