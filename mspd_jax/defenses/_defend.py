"""A classifier behind a chain of defenses, and how those who attack it may see it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import View, eot, is_random, straight_through
from mspd_jax.defenses._named import Layer, Parts, named_layer
from mspd_jax.errors import InputError
from mspd_jax.models import Model, as_pytree, behind, load_model

# Draws that an attacker averages for each gradient, as `autoattack-rand` does.
DRAWS = 20


class Defended(NamedTuple):
    """A classifier behind defenses.

    Attributes:
      predict: image -> logits through all of them.
      views: by name, for `attacks.plan_attacks`.
      claim: the view in which such a defense was published, "" for gradients through
        it.
      used: the models in the chain, by role.
      text: the chain.
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
    image_shape: Sequence[int],
    load: Callable[[str], Model] = load_model,
) -> Defended:
    """The classifier behind the defenses of a comma-separated list.

        image -> predict(last(... first(image)))

    The views of an attacker:

        bpda      the values of the defended model, the identity as the backward pass
                  of each defense, but for those that move pixels
        unmasked  the identity as the backward pass of those defenses alone whose
                  gradient is useless
        detached  the same, with the gradient map of a `trn` as a constant
        eot       as unmasked
        static    the classifier without any defense

    Where a defense draws at random, all views but `static` are means over draws. A view
    that would only repeat another is left out. The claim of `gcm`, also with `resize`,
    is made for gradients through it; that of all others for attackers who do not know
    of them. Raises InputError, of one line, for what cannot be used.

    Args:
      key: of the randomized ones, whose draws `attacks.reseed` renews.
      predict: the classifier alone, [H, W, C] -> [K], whose gradient a `trn` reads.
      text: names as `known_defenses` lists them, in the order in which the image meets
        them.
      image_shape: (H, W, C) of the images.
      load: reads a checkpoint by its path.

    Example:
      model = models.load_model("cifar10_resnet20_robust")
      predict, shape = models.predictor(model), model.spec.image_shape
      defended = defenses.defend(
          key, predict, "jpeg:75,resize:0.9", image_shape=shape
      )
      logits = defended.predict(image)
    """
    predict, shape = as_pytree(predict), tuple(image_shape)
    classes = _result(predict, shape, "the model").size
    names = [name.strip() for name in text.split(",")]
    layers: list[Layer] = []
    used: dict[str, Model] = {}
    for place, name in enumerate(names):
        own_key = jax.random.fold_in(key, place)
        layer = named_layer(Parts(own_key, predict, shape, classes, load), name)
        layers.append(layer)
        if layer.model is not None:
            used[_role(name, used)] = layer.model
    through = _chain([layer.transform for layer in layers], predict)
    _result(through, shape, f"defense {text!r}")
    randomized = is_random(through)

    def view(transforms: Iterable[Callable]) -> View:
        seen = _chain(transforms, predict)
        return View(eot(seen, draws=DRAWS) if randomized else seen, not randomized)

    # Behind a useless gradient, only the identity in its place shows the others.
    unmasked = [_identity_backward(x) if x.hides else x.transform for x in layers]
    views = {}
    if not all(layer.moves for layer in layers):
        views["bpda"] = view([_identity_backward(layer) for layer in layers])
    if any(layer.detached for layer in layers):
        views["detached"] = view(
            [x.detached or y for x, y in zip(layers, unmasked, strict=True)]
        )
    if randomized:
        views["eot"] = view(unmasked)
    elif 0 < sum(layer.hides for layer in layers) < len(layers):
        views["unmasked"] = view(unmasked)
    views["static"] = View(predict, False)
    kinds = {name.partition(":")[0] for name in names}
    claim = "" if "gcm" in kinds and kinds <= {"gcm", "resize"} else "static"
    return Defended(through, views, claim, used, ",".join(names))


def _chain(transforms: Iterable[Callable], predict: Callable) -> Partial:
    *others, last = transforms
    chain = behind(last, predict)
    for transform in reversed(others):
        chain = behind(transform, chain)
    return chain


def _identity_backward(layer: Layer) -> Callable:
    return layer.transform if layer.moves else straight_through(layer.transform)


def _role(name: str, used: Collection[str]) -> str:
    """`trn`, for a second one `trn_2`."""
    role = name.partition(":")[0]
    count = sum(other.partition("_")[0] == role for other in used)
    return f"{role}_{count + 1}" if count else role


def _result(function: Callable, shape: tuple[int, ...], what: str) -> jax.Array:
    """Of an image, as a shape; InputError unless it takes images of that shape."""
    try:
        return jax.eval_shape(function, jax.ShapeDtypeStruct(shape, jnp.float32))
    except (ValueError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{what} takes no images of shape {shape}: {reason}"
        ) from error
