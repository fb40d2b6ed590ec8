"""The defenses in front of a target, and the attacks that they call for."""

from collections.abc import Callable, Sequence

from mspd_jax import attacks, defenses, models
from mspd_jax.jobs._values import Loaded
from mspd_jax.streams import stream

_NONE = "none"


def chain_of(purify: str | None, defense: str | None) -> str | None:
    """The defenses as the image meets them, None for none."""
    layers = [layer for layer in (purify, defense) if layer not in (None, _NONE)]
    return ",".join(layers) or None


def defended(
    target: Loaded,
    chain: str | None,
    *,
    image_shape: Sequence[int],
    seed: int,
    load: Callable = models.load_model,
) -> defenses.Defended | None:
    """The target behind its defenses, None behind none.

    image_shape: of the images that it meets. load: reads a checkpoint that a defense
    names.
    """
    if chain is None:
        return None
    return defenses.defend(
        stream(seed, "defense"),
        target.predict,
        chain,
        image_shape=image_shape,
        load=load,
    )


def attacks_on(
    behind: defenses.Defended | None,
    names: str,
    norm: str,
    *,
    adaptive: bool,
    transfers: bool,
) -> str:
    """The attacks of a list as this model is to meet them."""
    if behind is None or not adaptive:
        return names
    return attacks.adaptive_attacks(
        names,
        norm=norm,
        views=behind.views,
        claim=behind.claim,
        transfers=transfers,
    )


def misfits(behind: defenses.Defended | None, target: Loaded) -> list[str]:
    """A line for each restoration network that was trained for another model."""
    if behind is None or target.model is None:
        return []
    own = models.function_hash(target.model)
    return [
        f"`defense`: the restoration network {role!r} was trained for another "
        "classifier than the target"
        for role, model in behind.used.items()
        if model.spec.origin.get("classifier", own) != own
    ]
