"""What a row of the table of networks says: the names, the options, PyTorch's names."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from flax import linen as nn

from mspd_jax.models.networks._layers import ACTIVATIONS, NORM_EPSILON
from mspd_jax.models.networks._layouts import Layouts

# On which noise a denoiser works: of the sigma that it was trained on; of any; of any,
# but it reads sigma beside the image.
OWN_NOISE, ANY_NOISE, TOLD_NOISE = "its own", "any", "told"
# What a network makes: logits, an image, an image from one and its gradient maps, or
# the noise in an image from one and its timestep.
CLASSIFIER, DENOISER = "a classifier", "a denoiser"
RESTORATION, DIFFUSION = "a restoration network", "a diffusion model"

Normalization = tuple[tuple[float, ...], tuple[float, ...]]
# The usual mean and std of pixels; SIGNED makes them numbers in [-1, 1].
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR10 = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)
SIGNED = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

# A pattern in a Flax path, "stage0_block1/first/conv", and what PyTorch calls it.
Renaming = tuple[str, str | Callable[[re.Match], str]]
Renamings = tuple[Renaming, ...]


class Choice(NamedTuple):
    """An option that is one of some words, and the attribute that each means."""

    default: str
    meanings: Mapping[str, Any]

    def attribute(self, name: str, value: object) -> Any:
        """The attribute of the network that a value means; ValueError for others."""
        words = list(self.meanings)
        _require(
            isinstance(value, str) and value in words, name, f"one of {words}", value
        )
        return self.meanings[str(value)]


class Flag(NamedTuple):
    """An option that is true or false."""

    default: bool

    def attribute(self, name: str, value: object) -> Any:
        """As of `Choice`."""
        _require(isinstance(value, bool), name, "true or false", value)
        return value


class Number(NamedTuple):
    """An option that is an integer of at least `least`."""

    default: int
    least: int = 1

    def attribute(self, name: str, value: object) -> Any:
        """As of `Choice`."""
        fits = type(value) is int and value >= self.least
        _require(fits, name, f"{self.least} or more", value)
        return value


class Numbers(NamedTuple):
    """An option that is a list of integers, of a certain length unless that is None."""

    default: tuple[int, ...]
    length: int | None = None
    least: int = 1
    empty: bool = False

    def attribute(self, name: str, value: object) -> Any:
        """As of `Choice`."""
        numbers = value if isinstance(value, list | tuple) else None
        fits = numbers is not None and (len(numbers) > 0 or self.empty)
        fits = fits and self.length in (None, len(numbers or ()))
        fits = fits and all(type(n) is int and n >= self.least for n in numbers or ())
        length = "" if self.length is None else f"{self.length} "
        kind = "positive integers" if self.least == 1 else f"integers >= {self.least}"
        _require(fits, name, f"a list of {length}{kind}", value)
        return tuple(numbers or ())


Option = Choice | Flag | Number | Numbers


def activation(default: str) -> Choice:
    """The option that chooses an activation."""
    return Choice(default, ACTIVATIONS)


def _no_options(tensors: Mapping[str, np.ndarray]) -> dict:
    del tensors
    return {}


def _as_they_are(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return dict(tensors)


def _any_numbers(numbers: dict[str, int]) -> bool:
    del numbers
    return True


class Family(NamedTuple):
    """Architectures that differ in the numbers of their name alone.

    Attributes:
      names: the names, for a reader.
      pattern: of the whole name; its groups are numbers, named as the attributes of
        the module that they set.
      network: the Linen module.
      options: further attributes.
      equally_many: options that are lists of one length.
      normalization: usual mean and std of three channels; None is 0 and 1.
      kind: CLASSIFIER, DENOISER, RESTORATION or DIFFUSION.
      noise: OWN_NOISE, ANY_NOISE or TOLD_NOISE, of a denoiser.
      epsilon: of its normalizations.
      size: usual height and width of its images.
      torch_layouts: of the variables that are not merely transposed in PyTorch.
      torch_names: what the variables are called in PyTorch, as replacements in their
        Flax path, applied in order; empty where nothing is converted. A function of
        the options where they decide it.
      unused: a pattern of PyTorch's names of tensors that are never computed with.
      canonical: PyTorch's tensors by name, as a file of any version has them -> as
        `torch_names` calls them, without buffers that the network computes itself.
      options_in: PyTorch's tensors by name -> the options that their names and shapes
        tell; ValueError names a tensor without which nothing can be told.
      fits: whether the numbers of a name go together.
    """

    names: str
    pattern: str
    network: type[nn.Module]
    options: dict[str, Option] = {}
    equally_many: tuple[str, ...] = ()
    normalization: Normalization | None = None
    kind: str = CLASSIFIER
    noise: str = OWN_NOISE
    epsilon: float = NORM_EPSILON
    size: int = 32
    torch_layouts: Layouts = ()
    torch_names: Renamings | Callable[[dict], Renamings] = ()
    unused: str = ""
    canonical: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = (
        _as_they_are
    )
    options_in: Callable[[Mapping[str, np.ndarray]], dict] = _no_options
    fits: Callable[[dict[str, int]], bool] = _any_numbers


def shape_in(tensors: Mapping[str, np.ndarray], name: str, ndim: int) -> tuple:
    """The shape of a tensor; ValueError names it where it is not there."""
    tensor = tensors.get(name)
    if tensor is None or tensor.ndim != ndim:
        raise ValueError(name)
    return tuple(map(int, tensor.shape))


def sequential_in(
    tensors: Mapping[str, np.ndarray], prefix: str = ""
) -> tuple[int, int]:
    """Of a Sequential of convolutions: number of its last, width of its first."""
    matches = (re.fullmatch(rf"{re.escape(prefix)}(\d+)\.weight", n) for n in tensors)
    numbers = [int(match[1]) for match in matches if match]
    width = shape_in(tensors, f"{prefix}0.weight", 4)[0]
    if len(numbers) < 2:
        raise ValueError(f"{prefix}2.weight")
    return max(numbers), width


def blocks_in(tensors: Mapping[str, np.ndarray], pattern: str) -> list[int]:
    """How many blocks each stage has, by the names of the first tensor of each block.

    pattern: of these names, with a group for the number of the stage.
    """
    matches = (re.fullmatch(pattern, name) for name in tensors)
    stages = [int(match[1]) for match in matches if match]
    return [stages.count(stage) for stage in range(max(stages, default=-1) + 1)]


def respelled(
    *spellings: Renaming,
) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A `canonical` that replaces older spellings in names.

    A tensor that is there under both keeps its older name, and so fits nowhere.
    """

    def canonical(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        renamed = {}
        for old, tensor in tensors.items():
            name = old
            for pattern, replacement in spellings:
                name = re.sub(pattern, replacement, name)
            renamed[old if name in tensors else name] = tensor
        return renamed

    return canonical


def names_of(numbers: Mapping[int, Any]) -> str:
    """A pattern of these numbers."""
    return "|".join(map(str, numbers))


def _require(fits: bool, name: str, wanted: str, value: object) -> None:
    if not fits:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
