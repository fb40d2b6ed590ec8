"""The architectures by name: what the name says, their options, their network."""

import functools
import re
from typing import Any

from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models.networks import (
    CLASSIFIER,
    DENOISER,
    DIFFUSION,
    FAMILIES,
    RESTORATION,
    Ensemble,
    Family,
    Normalization,
)

_ENSEMBLE = re.compile(r"ensemble(?P<count>[2-9]|[1-9]\d)_(?P<member>.+)")


def _names(kind: str) -> str:
    return ", ".join(family.names for family in FAMILIES if family.kind == kind)


ARCHITECTURES = (
    f"{_names(CLASSIFIER)}; several of one, whose probabilities are averaged: "
    "ensemble<n>_<architecture> (as in ensemble3_resnet20)"
)
DENOISERS = _names(DENOISER)
RESTORERS = _names(RESTORATION)
DIFFUSIONS = _names(DIFFUSION)


def parse_architecture(name: str) -> tuple[str, dict]:
    """Checks an architecture's name; returns it with the default options.

    Raises InputError, which lists the names, for one that does not exist.
    """
    return name, _defaults(family_of(name))


def default_normalization(name: str, channels: int) -> Normalization:
    """The usual (mean, std) of an architecture's checkpoints, per channel.

    It is (0, 1) where there is none, and for images that do not have three channels,
    unless it treats all channels alike.
    """
    usual = family_of(name).normalization
    if usual is not None and all(len(set(numbers)) == 1 for numbers in usual):
        mean, std = usual
        return mean[:1] * channels, std[:1] * channels
    if usual is None or channels != 3:
        return (0.0,) * channels, (1.0,) * channels
    return usual


def members_of(name: str) -> tuple[str, int]:
    """The architecture of an ensemble's members, and their number; of others (name, 1).

    Options, normalization and all else of an ensemble are those of each member.
    """
    match = _ENSEMBLE.fullmatch(name)
    return (match["member"], int(match["count"])) if match else (name, 1)


def split_name(name: str) -> tuple[Family, dict[str, int]]:
    """Family and numbers of a name; raises InputError for one that does not exist.

    Of an ensemble, those of its members, which are classifiers.
    """
    member, count = members_of(name)
    for family in FAMILIES:
        match = re.fullmatch(family.pattern, member)
        if match and (count == 1 or family.kind == CLASSIFIER):
            numbers = {field: int(n) for field, n in match.groupdict().items()}
            if family.fits(numbers):
                return family, numbers
    raise InputError(
        f"architecture {name!r} does not exist: use {ARCHITECTURES}; denoisers are "
        f"{DENOISERS}; diffusion models are {DIFFUSIONS}; restoration networks are "
        f"{RESTORERS}"
    )


def family_of(name: str) -> Family:
    """The family of a name; raises as `split_name` does."""
    return split_name(name)[0]


def restores(name: str) -> bool:
    """Whether networks of this name return an image (or noise) and not logits."""
    return family_of(name).kind != CLASSIFIER


def complete_options(name: str, options: dict) -> dict:
    """The options with defaults for those that are missing, or ValueError."""
    family = family_of(name)
    if surplus := sorted(set(options) - set(family.options)):
        accepted = ", ".join(family.options) or "none"
        raise ValueError(f"{name} has no option {surplus}; its options: {accepted}")
    complete = _defaults(family) | options
    for option, value in complete.items():
        family.options[option].attribute(option, value)
    lengths = [len(complete[option]) for option in family.equally_many]
    if len(set(lengths)) > 1:
        names, found = ", ".join(family.equally_many), ", ".join(map(str, lengths))
        raise ValueError(f"{names} must be equally many, got {found}")
    return complete


def make_network(
    name: str,
    options: dict,
    *,
    outputs: int,
    axis_name: str | None = None,
    folded: bool = False,
) -> nn.Module:
    """The Linen module of an architecture; raises as `complete_options` does.

    outputs: number of classes, for a network that returns images of channels.
    axis_name, folded: see `Formed`.
    """
    family, numbers = split_name(name)
    fields = {
        option: family.options[option].attribute(option, value)
        for option, value in complete_options(name, options).items()
    }
    fields.pop("rule", None)  # says what is shown to the network, not how it is built
    fields["channels" if restores(name) else "num_classes"] = outputs
    form: dict[str, Any] = {"axis_name": axis_name, "folded": folded}
    network = functools.partial(family.network, **numbers, **fields)
    _, count = members_of(name)
    return network(**form) if count == 1 else Ensemble(network, count, **form)


def _defaults(family: Family) -> dict:
    """The options of a family at their defaults, as JSON has them."""
    defaults = {option: kind.default for option, kind in family.options.items()}
    return {
        option: list(default) if isinstance(default, tuple) else default
        for option, default in defaults.items()
    }
