"""Where training starts: a checkpoint, or a specification that fits the data."""

from collections.abc import Mapping

import numpy as np

from mspd_jax.errors import InputError
from mspd_jax.models import (
    Model,
    ModelSpec,
    checked_shapes,
    default_normalization,
    gives_images,
    parse_architecture,
)
from mspd_jax.train._examples import Examples


def start_of(
    examples: Examples,
    *,
    init: Model | None = None,
    arch: str | None = None,
    arch_options: Mapping | None = None,
) -> ModelSpec | Model:
    """Where training starts: `init`, or the specification of a new network.

    arch: name of a new network, or of the one that `init` is. arch_options: those that
    differ from its defaults. Raises InputError for what does not fit the examples.
    """
    if init is not None:
        spec = init.spec
        if arch and arch != spec.architecture:
            raise InputError(
                f"`init` is a {spec.architecture}, `arch`={arch}: leave `arch` out"
            )
        reads = "`init` was made for images of shape"
        _check_fit(init, examples, "init", reads, labeled=not gives_images(spec))
        return init
    if not arch:
        raise InputError("give `arch`=NAME, or `init`=CKPT to go on from a checkpoint")
    return _fresh_spec(arch, dict(arch_options or {}), examples)


def check_classifier(model: Model, examples: Examples, *, labeled: bool) -> None:
    """InputError unless a fixed classifier reads the data, and has their classes."""
    reads = f"`classifier`: a {model.spec.architecture} for images"
    _check_fit(model, examples, "classifier", reads, labeled=labeled)


def _check_fit(
    model: Model, examples: Examples, field: str, reads: str, *, labeled: bool
) -> None:
    spec, shape = model.spec, tuple(examples.images.shape[1:])
    if labeled and spec.num_classes != examples.num_classes:
        raise InputError(
            f"`{field}` has {spec.num_classes} classes, the training data have "
            f"{examples.num_classes}: give a model or data that fit"
        )
    if tuple(spec.image_shape) != shape:
        raise InputError(
            f"{reads} {tuple(spec.image_shape)}, the training data have {shape}: give "
            "a model or data that fit"
        )


def _fresh_spec(architecture: str, options: dict, examples: Examples) -> ModelSpec:
    """Normalized by the data's own mean and deviation; a denoiser gets the images as
    they are, or as its kind is used to."""
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
    if gives_images(spec):
        mean, std = default_normalization(name, len(mean))
        spec = spec._replace(mean=mean, std=std, num_classes=0)
    try:
        checked_shapes(spec)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"`arch_options`: {error}") from error
    return spec


def _moments(images: np.ndarray, most: int = 10_000):
    """Mean and standard deviation per channel of the first `most` images."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    sample = images[:most]
    mean = sample.mean(axis=(0, 1, 2), dtype=np.float64) / scale
    std = sample.std(axis=(0, 1, 2), dtype=np.float64) / scale
    # A constant channel must not be divided by zero.
    return tuple(mean.round(4).tolist()), tuple(std.round(4).clip(0.01).tolist())
