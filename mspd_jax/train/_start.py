"""Where training starts: a checkpoint, or a specification that fits the data."""

import numpy as np

from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec, build_module, parse_architecture
from mspd_jax.train._examples import Examples


def fresh_spec(architecture: str, options: dict, examples: Examples) -> ModelSpec:
    """A specification for the data, normalized by their own mean and deviation.

    options: architecture options that differ from the defaults. Raises InputError for
    a name or an option that does not exist.
    """
    name, defaults = parse_architecture(architecture)
    mean, std = _moments(examples.images)
    spec = ModelSpec(
        architecture=name,
        options={**defaults, **options},
        mean=mean,
        std=std,
        num_classes=examples.num_classes,
        image_shape=tuple(examples.images.shape[1:]),
        origin={},
    )
    try:
        build_module(spec)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--arch_options: {error}") from error
    return spec


def check_start(model: Model, architecture: str | None, examples: Examples) -> None:
    """InputError unless training of the model can go on with these data."""
    spec, shape = model.spec, tuple(examples.images.shape[1:])
    if architecture not in (None, spec.architecture):
        raise InputError(
            f"--init is a {spec.architecture}, --arch={architecture}: leave --arch out"
        )
    if spec.num_classes != examples.num_classes:
        raise InputError(
            f"--init has {spec.num_classes} classes, the training data have "
            f"{examples.num_classes}: give a model or data that fit"
        )
    if tuple(spec.image_shape) != shape:
        raise InputError(
            f"--init was made for images of shape {tuple(spec.image_shape)}, the "
            f"training data have {shape}: give a model or data that fit"
        )


def _moments(images: np.ndarray, most: int = 10_000):
    """Mean and standard deviation per channel of the first `most` images."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    sample = images[:most]
    mean = sample.mean(axis=(0, 1, 2), dtype=np.float64) / scale
    std = sample.std(axis=(0, 1, 2), dtype=np.float64) / scale
    # A constant channel must not be divided by zero.
    return tuple(mean.round(4).tolist()), tuple(std.round(4).clip(0.01).tolist())
