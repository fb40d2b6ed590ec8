"""The Two-stream Restoration Network in front of the classifier it was made for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import fixed
from mspd_jax.defenses._gradient_map import gradient_map
from mspd_jax.models import Model, as_pytree, behind, map_restorer


def restoration(predict: Callable, network: Model, *, detach: bool = False) -> Partial:
    """What the network makes of an image and the classifier's gradient map.

        x -> clip01(network(x, gradient_map(f, x))),   the map by the network's own rule

    Weights of both stay leaves. Gradient flows through the map as well (second
    derivatives of f), unless `detach` makes it a constant; an adaptive attacker tries
    both. Costs a prediction and, for each map, a backward pass. Raises InputError for a
    model that is no restoration network.
    """
    rule = network.spec.options.get("rule", "predicted")
    function = fixed(_restored, rule=rule, detach=detach)
    return Partial(function, map_restorer(network), as_pytree(predict))


def trn(predict: Callable, network: Model) -> Partial:
    """The classifier behind its Two-stream Restoration Network (arXiv 2202.01117).

        x -> f(clip01(network(x, gradient_map(f, x))))

    The published evaluation attacks f alone and restores what comes of it. An attacker
    who differentiates this function meets little resistance: an evaluation of the
    defense `trn` reports both.

    Args:
      predict: the classifier f, [H, W, C] -> [K], for which the network was trained.
      network: a restoration network.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree.

    Example:
      predict = models.predictor(models.load_model("CLASSIFIER"))
      restored = defenses.trn(predict, models.load_model("TRN"))
      logits = restored(image)
    """
    return behind(restoration(predict, network), predict)


def _restored(
    network: Callable, predict: Callable, image: jax.Array, *, rule: str, detach: bool
) -> jax.Array:
    maps = gradient_map(predict, image, rule=rule)
    if detach:
        maps = jax.lax.stop_gradient(maps)
    return jnp.clip(network(jnp.concatenate([image, maps], axis=-1)), 0.0, 1.0)
