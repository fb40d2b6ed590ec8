"""What a model is: a specification (plain data) and its variables (arrays)."""

import json
import math
from typing import NamedTuple

from mspd_jax.models._architectures import complete_options, family_of, restores
from mspd_jax.models.networks import DIFFUSION


class ModelSpec(NamedTuple):
    """Everything about a model but its weights; every field goes into JSON.

    Attributes:
      architecture: name that `parse_architecture` accepts, e.g. "wide_resnet28_10".
      options: architecture options that are not in the name, e.g. {"activation":
        "silu"}; what is missing takes its default.
      mean: per channel, subtracted from images in [0, 1].
      std: per channel, divides what remains.
      num_classes: number of logits; 0 for a network that returns images.
      image_shape: (height, width, channels) of the images it was made for.
      origin: where the weights come from: source file and its sha256, flags, sigma.
    """

    architecture: str
    options: dict
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_classes: int
    image_shape: tuple[int, int, int]
    origin: dict


class Model(NamedTuple):
    """A specification and the variables of its network.

    Attributes:
      spec: the specification.
      variables: {"params": ..., "batch_stats": ...}, without "batch_stats" where the
        network keeps no statistics.
    """

    spec: ModelSpec
    variables: dict


def check_spec(spec: ModelSpec) -> None:
    """Raises ValueError unless shape, classes and normalization fit each other."""
    shape, classes = spec.image_shape, spec.num_classes
    if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
        raise ValueError(f"image_shape must be (height, width, channels), got {shape}")
    images = restores(spec.architecture)
    if type(classes) is not int or (classes != 0 if images else classes < 1):
        wanted = "0 for a denoiser" if images else "a positive integer"
        raise ValueError(f"num_classes must be {wanted}, got {classes!r}")
    if not len(spec.mean) == len(spec.std) == shape[-1]:
        raise ValueError(
            f"mean {spec.mean} and std {spec.std} must have one value for each of the "
            f"{shape[-1]} channels of image_shape {shape}"
        )
    if not all(0 < value < math.inf for value in spec.std):
        raise ValueError(f"std must be positive and finite, got {spec.std}")
    if not all(map(math.isfinite, spec.mean)):
        raise ValueError(f"mean must be finite, got {spec.mean}")
    halves = {*spec.mean, *spec.std} == {0.5}
    if family_of(spec.architecture).kind == DIFFUSION and not halves:
        raise ValueError(
            "mean and std of a diffusion model must be 0.5, so that it reads pixels as "
            f"[-1, 1], got {spec.mean} and {spec.std}"
        )


def input_shape(spec: ModelSpec) -> tuple[int, int, int]:
    """Height, width and channels of what is read: gradient maps are more channels."""
    options = complete_options(spec.architecture, spec.options)
    height, width, channels = spec.image_shape
    return height, width, channels * (1 + options.get("maps", 0))


def spec_to_json(spec: ModelSpec) -> dict:
    """The specification as JSON types; raises ValueError where it has others."""
    fields = spec._asdict() | {
        "mean": [float(value) for value in spec.mean],
        "std": [float(value) for value in spec.std],
    }
    try:
        return json.loads(json.dumps(fields, allow_nan=False))
    except TypeError as error:
        raise ValueError(f"options and origin must be JSON types: {error}") from error


def spec_from_json(fields: dict) -> ModelSpec:
    """The specification from JSON types; raises ValueError if it is not one."""
    if set(fields) != set(ModelSpec._fields):
        raise ValueError(f"a model specification has other fields: {sorted(fields)}")
    lists = {name: tuple(fields[name]) for name in ("mean", "std", "image_shape")}
    spec = ModelSpec(**fields | lists)
    check_spec(spec)
    return spec
