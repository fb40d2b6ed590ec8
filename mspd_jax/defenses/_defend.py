"""A classifier behind a chain of defences, and how those who attack it may see it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import View, eot, is_random, straight_through
from mspd_jax.defenses._named import Given, named_layer
from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec, as_pytree, behind, load_model

# Draws that an attacker averages for each gradient, as `autoattack-rand` does.
DRAWS = 20


class Defended(NamedTuple):
    """A classifier behind defences.

    predict: image -> logits through all of them. views: by name, for
    `attacks.plan_attacks`. claim: the view in which such a defence was published, ""
    for gradients through it. used: the models in the chain, by role. text: the chain.
    """

    predict: Partial
    views: dict[str, View]
    claim: str
    used: dict[str, Model]
    text: str


def defend(
    key: jax.Array,
    predict: Callable,
    text: str,
    *,
    spec: ModelSpec,
    load: Callable[[str], Model] = load_model,
) -> Defended:
    """The classifier behind the defences of a comma-separated list.

        image -> predict(last(... first(image)))

    key: of the randomised ones, whose draws `attacks.reseed` renews. predict:
    [H, W, C] -> [K], the classifier alone, whose gradient a `trn` is shown. text: names
    as `known_defenses` lists them, in the order in which the image meets them. spec: of
    the classifier. load: reads a checkpoint by its path. The views of an attacker:

        bpda      the values of the defended model, the identity as the backward pass
                  of each defence, but for those that move pixels
        detached  a `trn` whose gradient map counts as a constant
        eot       the mean over draws, where there are any; a defence whose gradient
                  leads nowhere has the identity as its backward pass
        static    the classifier without any defence

    A view that would only repeat the defended model is left out. The claim of `gcm`,
    also with `resize`, is made for gradients through it; that of all others for
    attackers who do not know of them. Raises InputError, of one line, for what cannot
    be used.
    """
    predict = as_pytree(predict)
    parts = [part.strip() for part in text.split(",")]
    layers, used = [], {}
    for place, part in enumerate(parts):
        own_key = jax.random.fold_in(key, place)
        layer = named_layer(Given(own_key, predict, spec, load), part)
        layers.append(layer)
        if layer.model is not None:
            used[_role(part, used)] = layer.model
    through = _chain([layer.transform for layer in layers], predict)
    _check_shape(through, spec, text)
    views = {}
    if not all(layer.moves for layer in layers):
        views["bpda"] = View(_chain(map(_identity_backward, layers), predict), True)
    if any(layer.detached for layer in layers):
        constant = [layer.detached or layer.transform for layer in layers]
        views["detached"] = View(_chain(constant, predict), True)
    if is_random(through):
        led = [_identity_backward(x) if x.hides else x.transform for x in layers]
        views["eot"] = View(eot(_chain(led, predict), draws=DRAWS), False)
    views["static"] = View(predict, False)
    return Defended(through, views, _claim(parts), used, ",".join(parts))


def _chain(transforms, predict):
    for transform in reversed(list(transforms)):
        predict = behind(transform, predict)
    return predict


def _identity_backward(layer):
    return layer.transform if layer.moves else straight_through(layer.transform)


def _claim(parts):
    names = {part.partition(":")[0] for part in parts}
    return "" if "gcm" in names and names <= {"gcm", "resize"} else "static"


def _role(part, used):
    """`trn`, for a second one `trn_2`."""
    role = part.partition(":")[0]
    count = sum(name.partition("_")[0] == role for name in used)
    return f"{role}_{count + 1}" if count else role


def _check_shape(through, spec, text):
    """InputError unless the defences take images of the classifier's shape."""
    shape = tuple(spec.image_shape)
    try:
        jax.eval_shape(through, jax.ShapeDtypeStruct(shape, jnp.float32))
    except (ValueError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"defence {text!r} takes no images of shape {shape}: {reason}"
        ) from error
