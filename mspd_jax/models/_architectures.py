"""The architectures by name: what the name says, their options, their network."""

import re
from collections.abc import Callable
from typing import NamedTuple

from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models import _dncnn
from mspd_jax.models._layers import ACTIVATIONS, NORM_EPSILON
from mspd_jax.models._memnet import MemNet
from mspd_jax.models._preactivation import PREACT_BLOCKS, PreactResNet, WideResNet
from mspd_jax.models._resnet import ResNet
from mspd_jax.models._small_cnn import SmallCNN
from mspd_jax.models._trn import TRN

ARCHITECTURES = (
    "resnet20, resnet32, resnet44, resnet56, resnet110, preact_resnet18, "
    "preact_resnet34, wide_resnet<depth>_<width> (as in wide_resnet28_10; "
    "depth = 10, 16, 22, ...), small_cnn"
)
DENOISERS = "dncnn, dncnn_wide, memnet"
RESTORERS = "trn, trn_small"
# What a network gives: logits, an image, or an image if it is told gradient maps.
KINDS = ("a classifier", "a denoiser", "a restoration network")

# By which label the gradient maps of a restoration network are taken.
LABEL_RULES = ("predicted", "uniform", "softmax", "all")

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)


class Family(NamedTuple):
    """Architectures that differ in the numbers of their name alone.

    Attributes:
      pattern: regular expression of the whole name; its groups are the numbers.
      network: the Linen module.
      fields: names of the module's attributes that the groups set.
      options: further attributes and their defaults.
      mean, std: usual normalization for three channels; None is 0 and 1.
      kind: one of KINDS.
      epsilon: of its normalizations.
    """

    pattern: str
    network: type[nn.Module]
    fields: tuple[str, ...]
    options: dict
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    kind: str = KINDS[0]
    epsilon: float = NORM_EPSILON


FAMILIES = {
    "resnet": Family(
        r"resnet(20|32|44|56|110)",
        ResNet,
        ("depth",),
        {},
        IMAGENET_MEAN,
        IMAGENET_STD,
    ),
    "preact_resnet": Family(
        rf"preact_resnet({'|'.join(map(str, PREACT_BLOCKS))})",
        PreactResNet,
        ("depth",),
        {"activation": "silu"},
        CIFAR10_MEAN,
        CIFAR10_STD,
    ),
    "wide_resnet": Family(
        r"wide_resnet([1-9]\d{1,3})_([1-9]\d{0,2})",
        WideResNet,
        ("depth", "width"),
        {"activation": "silu"},
        CIFAR10_MEAN,
        CIFAR10_STD,
    ),
    "small_cnn": Family(
        r"small_cnn",
        SmallCNN,
        (),
        {"activation": "relu", "widths": [16, 32, 64], "norm": True},
        None,
        None,
    ),
    **{
        name: Family(
            name,
            _dncnn.DnCNN,
            (),
            {"depth": 17, "width": width},
            None,
            None,
            kind=KINDS[1],
            epsilon=_dncnn.EPSILON,
        )
        for name, width in (("dncnn", 64), ("dncnn_wide", 128))
    },
    "memnet": Family(
        "memnet",
        MemNet,
        (),
        {"blocks": 3, "recursions": 6, "width": 64},
        None,
        None,
        kind=KINDS[1],
    ),
    **{
        name: Family(
            name,
            TRN,
            (),
            {**sizes, "rule": "predicted", "maps": 1},
            None,
            None,
            kind=KINDS[2],
        )
        for name, sizes in (
            ("trn", {"width": 64, "stages": 4, "blocks": 2, "shrink": 1}),
            ("trn_small", {"width": 32, "stages": 3, "blocks": 1, "shrink": 2}),
        )
    },
}


def parse_architecture(name: str) -> tuple[str, dict]:
    """Checks an architecture's name; returns it with the default options.

    Raises InputError, which lists the names, for one that does not exist.
    """
    family, _ = split_name(name)
    return name, dict(FAMILIES[family].options)


def default_normalization(name: str, channels: int) -> tuple[tuple, tuple]:
    """The usual (mean, std) of an architecture's checkpoints, per channel.

    It is (0, 1) where there is none, and for images that do not have three channels.
    """
    family = FAMILIES[split_name(name)[0]]
    if family.mean is None or channels != 3:
        return (0.0,) * channels, (1.0,) * channels
    return family.mean, family.std


def split_name(name: str) -> tuple[str, dict]:
    """Family and numbers of a name: wide_resnet28_10 -> wide_resnet, depth and width.

    Raises InputError for a name that does not exist.
    """
    for key, family in FAMILIES.items():
        match = re.fullmatch(family.pattern, name)
        if match:
            numbers = dict(zip(family.fields, map(int, match.groups()), strict=True))
            if key != "wide_resnet" or numbers["depth"] % 6 == 4:
                return key, numbers
    raise InputError(
        f"architecture {name!r} does not exist: use {ARCHITECTURES}; denoisers are "
        f"{DENOISERS}; restoration networks are {RESTORERS}"
    )


def kind_of(name: str) -> str:
    """What networks of this name give: one of KINDS."""
    return FAMILIES[split_name(name)[0]].kind


def restores(name: str) -> bool:
    """Whether networks of this name give an image and not logits."""
    return kind_of(name) != KINDS[0]


def norm_epsilon(name: str) -> float:
    """What the normalizations of an architecture add to the variance."""
    return FAMILIES[split_name(name)[0]].epsilon


def complete_options(name: str, options: dict) -> dict:
    """The options with defaults for those that are missing.

    Raises InputError for an unknown name, ValueError for unusable options.
    """
    family = FAMILIES[split_name(name)[0]]
    if surplus := sorted(set(options) - set(family.options)):
        accepted = ", ".join(family.options) or "none"
        raise ValueError(f"{name} has no option {surplus}; its options: {accepted}")
    complete = family.options | options
    for option, value in complete.items():
        _CHECKS[option](value)
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

    outputs: number of classes, for a denoiser of channels.
    """
    key, numbers = split_name(name)
    values = complete_options(name, options)
    fields = {option: _CHECKS[option](value) for option, value in values.items()}
    fields.pop("rule", None)  # says what is shown to the network, not how it is built
    fields["channels" if restores(name) else "num_classes"] = outputs
    form = dict(axis_name=axis_name, folded=folded)
    return FAMILIES[key].network(**numbers, **fields, **form)


def _activation(value) -> Callable:
    if value not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {list(ACTIVATIONS)}, got {value!r}"
        )
    return ACTIVATIONS[value]


def _widths(value) -> tuple[int, ...]:
    widths = tuple(value) if isinstance(value, list | tuple) else ()
    if not widths or not all(type(w) is int and w > 0 for w in widths):
        raise ValueError(f"widths must be a list of positive integers, got {value!r}")
    return widths


def _rule(value) -> str:
    if value not in LABEL_RULES:
        raise ValueError(f"rule must be one of {list(LABEL_RULES)}, got {value!r}")
    return value


def _norm(value) -> bool:
    if type(value) is not bool:
        raise ValueError(f"norm must be true or false, got {value!r}")
    return value


def _at_least(least: int, option: str) -> Callable:
    def check(value) -> int:
        if type(value) is not int or value < least:
            raise ValueError(f"{option} must be {least} or more, got {value!r}")
        return value

    return check


_CHECKS = {
    "activation": _activation,
    "widths": _widths,
    "norm": _norm,
    "depth": _at_least(2, "depth"),
    "width": _at_least(1, "width"),
    "blocks": _at_least(1, "blocks"),
    "recursions": _at_least(1, "recursions"),
    "stages": _at_least(1, "stages"),
    "shrink": _at_least(1, "shrink"),
    "maps": _at_least(1, "maps"),
    "rule": _rule,
}
