"""The architectures by name: what the name says, their options, their network."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models._bagnet import BAGNET_STAGES, BagNet
from mspd_jax.models._dncnn import DNCNN_EPSILON, DnCNN
from mspd_jax.models._layers import ACTIVATIONS, NORM_EPSILON
from mspd_jax.models._memnet import MemNet
from mspd_jax.models._preactivation import PREACT_BLOCKS, PreactResNet, WideResNet
from mspd_jax.models._resnet import IMAGENET_STAGES, ImageNetResNet, ResNet
from mspd_jax.models._small_cnn import SmallCNN
from mspd_jax.models._trn import TRN

ARCHITECTURES = (
    "resnet20, resnet32, resnet44, resnet56, resnet110, preact_resnet18, "
    "preact_resnet34, wide_resnet<depth>_<width> (as in wide_resnet28_10; "
    "depth = 10, 16, 22, ...), small_cnn, and for ImageNet resnet18, resnet34, "
    "resnet50, resnet101, resnet152, bagnet9, bagnet17, bagnet33"
)
DENOISERS = "dncnn, dncnn_wide, memnet"
RESTORERS = "trn, trn_small"
# What a network makes: logits, an image, or an image from one and its gradient maps.
KINDS = ("a classifier", "a denoiser", "a restoration network")

# By which label the gradient maps of a restoration network are taken.
LABEL_RULES = ("predicted", "uniform", "softmax", "all")
# The usual mean and std of pixels.
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CIFAR10 = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)


class Family(NamedTuple):
    """Architectures that differ in the numbers of their name alone.

    Attributes:
      pattern: of the whole name; its groups are numbers, named as the attributes of
        the module that they set.
      network: the Linen module.
      options: further attributes and their defaults.
      normalization: usual mean and std of three channels; None is 0 and 1.
      kind: one of KINDS.
      epsilon: of its normalizations.
      size: usual height and width of its images.
    """

    pattern: str
    network: type[nn.Module]
    options: dict
    normalization: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    kind: str = KINDS[0]
    epsilon: float = NORM_EPSILON
    size: int = 32


def _any(numbers: Iterable[int]) -> str:
    return "|".join(map(str, numbers))


def _dncnn(name: str, *, width: int) -> Family:
    options = {"depth": 17, "width": width}
    return Family(name, DnCNN, options, kind=KINDS[1], epsilon=DNCNN_EPSILON)


def _trn(name: str, **sizes: int) -> Family:
    options = {**sizes, "rule": "predicted", "maps": 1}
    return Family(name, TRN, options, kind=KINDS[2])


FAMILIES = {
    "resnet": Family(r"resnet(?P<depth>20|32|44|56|110)", ResNet, {}, _IMAGENET),
    "preact_resnet": Family(
        rf"preact_resnet(?P<depth>{_any(PREACT_BLOCKS)})",
        PreactResNet,
        {"activation": "silu"},
        _CIFAR10,
    ),
    "wide_resnet": Family(
        r"wide_resnet(?P<depth>[1-9]\d{1,3})_(?P<width>[1-9]\d{0,2})",
        WideResNet,
        {"activation": "silu"},
        _CIFAR10,
    ),
    "imagenet_resnet": Family(
        rf"resnet(?P<depth>{_any(IMAGENET_STAGES)})",
        ImageNetResNet,
        {"width": 64},
        _IMAGENET,
        size=224,
    ),
    "bagnet": Family(
        rf"bagnet(?P<patch>{_any(BAGNET_STAGES)})",
        BagNet,
        {"width": 64, "blocks": [3, 4, 6, 3], "strides": [2, 2, 2, 1]},
        _IMAGENET,
        size=224,
    ),
    "small_cnn": Family(
        "small_cnn",
        SmallCNN,
        {"activation": "relu", "widths": [16, 32, 64], "norm": True},
    ),
    "dncnn": _dncnn("dncnn", width=64),
    "dncnn_wide": _dncnn("dncnn_wide", width=128),
    "memnet": Family(
        "memnet", MemNet, {"blocks": 3, "recursions": 6, "width": 64}, kind=KINDS[1]
    ),
    "trn": _trn("trn", width=64, stages=4, blocks=2, shrink=1),
    "trn_small": _trn("trn_small", width=32, stages=3, blocks=1, shrink=2),
}


def parse_architecture(name: str) -> tuple[str, dict]:
    """Checks an architecture's name; returns it with the default options.

    Raises InputError, which lists the names, for one that does not exist.
    """
    return name, dict(family_of(name).options)


def default_normalization(
    name: str, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The usual (mean, std) of an architecture's checkpoints, per channel.

    It is (0, 1) where there is none, and for images that do not have three channels.
    """
    usual = family_of(name).normalization
    if usual is None or channels != 3:
        return (0.0,) * channels, (1.0,) * channels
    return usual


def split_name(name: str) -> tuple[str, dict]:
    """Family and numbers of a name; raises InputError for one that does not exist."""
    for key, family in FAMILIES.items():
        match = re.fullmatch(family.pattern, name)
        if match:
            numbers = {field: int(n) for field, n in match.groupdict().items()}
            if key != "wide_resnet" or numbers["depth"] % 6 == 4:
                return key, numbers
    raise InputError(
        f"architecture {name!r} does not exist: use {ARCHITECTURES}; denoisers are "
        f"{DENOISERS}; restoration networks are {RESTORERS}"
    )


def family_of(name: str) -> Family:
    """The family of a name; raises as `split_name` does."""
    return FAMILIES[split_name(name)[0]]


def restores(name: str) -> bool:
    """Whether networks of this name return an image and not logits."""
    return family_of(name).kind != KINDS[0]


def complete_options(name: str, options: dict) -> dict:
    """The options with defaults for those that are missing, or ValueError."""
    family = family_of(name)
    if surplus := sorted(set(options) - set(family.options)):
        accepted = ", ".join(family.options) or "none"
        raise ValueError(f"{name} has no option {surplus}; its options: {accepted}")
    complete = family.options | options
    for option, value in complete.items():
        _checked(option, value, default=family.options[option])
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
    key, numbers = split_name(name)
    family = FAMILIES[key]
    fields = {
        option: _checked(option, value, default=family.options[option])
        for option, value in complete_options(name, options).items()
    }
    fields.pop("rule", None)  # says what is shown to the network, not how it is built
    fields["channels" if restores(name) else "num_classes"] = outputs
    form = {"axis_name": axis_name, "folded": folded}
    return family.network(**numbers, **fields, **form)


def _checked(option: str, value: object, *, default: object) -> object:
    """The attribute of a network that this value of an option means.

    Of what kind it is the option's default says. ValueError for any other.
    """
    if isinstance(default, bool):
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        least = 2 if option == "depth" else 1
        fits, wanted = type(value) is int and value >= least, f"{least} or more"
    elif isinstance(default, list):
        # One for each of the stages, but for as many layers as there are widths.
        length = None if option == "widths" else len(default)
        numbers = value if isinstance(value, list | tuple) else ()
        fits = len(numbers) == length if length else len(numbers) > 0
        fits = fits and all(type(n) is int and n > 0 for n in numbers)
        wanted = f"a list of {f'{length} ' if length else ''}positive integers"
    else:
        words = list(ACTIVATIONS) if option == "activation" else list(LABEL_RULES)
        fits, wanted = isinstance(value, str) and value in words, f"one of {words}"
    if not fits:
        raise ValueError(f"{option} must be {wanted}, got {value!r}")
    if option == "activation":
        return ACTIVATIONS[str(value)]
    return tuple(value) if isinstance(value, list) else value
