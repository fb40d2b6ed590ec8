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
        unmasked  the identity as the backward pass of those defences alone whose
                  gradient leads nowhere
        detached  the same, with the gradient map of a `trn` as a constant
        eot       as unmasked
        static    the classifier without any defence

    Where a defence draws at random, all views but `static` are means over draws. A view
    that would only repeat another is left out. The claim of `gcm`,
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
    randomised = is_random(through)

    def view(transforms):
        seen = _chain(transforms, predict)
        return View(eot(seen, draws=DRAWS) if randomised else seen, not randomised)

    # Where a gradient leads nowhere, only the identity in its place shows the others.
    led = [_identity_backward(x) if x.hides else x.transform for x in layers]
    views = {}
    if not all(layer.moves for layer in layers):
        views["bpda"] = view([_identity_backward(layer) for layer in layers])
    if any(layer.detached for layer in layers):
        views["detached"] = view(
            [x.detached or y for x, y in zip(layers, led, strict=True)]
        )
    if randomised:
        views["eot"] = view(led)
    elif 0 < sum(layer.hides for layer in layers) < len(layers):
        views["unmasked"] = view(led)
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
