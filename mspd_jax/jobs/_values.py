"""What fields of jobs may hold: radii, sources and models, by name or as values."""

import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import numpy as np

from mspd_jax import data, models
from mspd_jax.errors import InputError
from mspd_jax.jobs._foreign import is_foreign, loaded_foreign
from mspd_jax.jobs._function_digest import function_digest, function_name

# By name, as a flag gives them, or as the value itself.
Radius = float | str
SourceInput = str | data.Source
ModelInput = str | models.Model | Callable


class Loaded(NamedTuple):
    """A model as jobs use it.

    predict: image -> logits, or image -> image for a denoiser. model: with its
    specification, None for a function. name: the folder or name that it came by, or a
    word for it. digest: of what it computes; a run goes on with no other.
    """

    predict: Callable
    model: models.Model | None
    name: str
    digest: str


def number_of(value: float | str) -> float:
    """`8/255`, `0.031` or a number as a float; ValueError for what is none."""
    if not isinstance(value, str) or value.count("/") != 1:
        return float(value)
    above, below = value.replace(" ", "").split("/")
    try:
        return float(Fraction(above) / Fraction(below))
    except ZeroDivisionError as error:
        raise ValueError(str(error)) from error


def network_options(value: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of an architecture, also where they are a JSON text."""
    if isinstance(value, Mapping):
        return value
    try:
        options = json.loads(value)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise InputError(f"`arch_options`={value}: expected a JSON object")
    return options


def radius_of(value: Radius, norm: str, name: str = "eps") -> float:
    """`8/255`, `0.031` or a number as a radius; refuses radii that no image needs.

    name: of the field, for the line that refuses.
    """
    try:
        number = number_of(value)
    except (TypeError, ValueError):
        number = math.nan
    if not number > 0 or math.isinf(number):
        raise InputError(
            f"`{name}`={value}: expected a positive number like 8/255 or 0.03"
        )
    if norm == "linf" and number > 1:
        raise InputError(
            f"`{name}`={value}: pixels lie in [0, 1], so an l_inf radius is at most "
            f"1; did you mean `{name}`={value}/255?"
        )
    return number


def opened(
    source: SourceInput,
    *,
    data_dir: str | None = None,
    limit: int | None = None,
    every: int = 1,
    shard: str | None = None,
) -> data.Source:
    """The images that a field names, or the source that it is.

    Of the first `limit` every `every`-th, and of those the part that `shard` names.
    """
    place, count = shard_of(shard)
    if isinstance(source, str):
        source = data.open_source(source, data_dir=data_dir, limit=limit)
    elif limit is not None:
        source = data.select(source, source.indices[:limit])
    if every > 1:
        source = data.every(source, every)
    return source if count == 1 else data.shard(source, place, count)


def shard_of(text: str | None) -> tuple[int, int]:
    """`3/8` as (3, 8); None as (1, 1), the whole."""
    if text is None:
        return 1, 1
    found = re.fullmatch(r"(\d+)/(\d+)", str(text))
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(
            f"`shard`={text}: expected a part like 3/8, the third of eight"
        )
    return int(found[1]), int(found[2])


def loaded(value: ModelInput) -> Loaded:
    """The model that a field names, or that it is."""
    if isinstance(value, str) and is_foreign(value):
        predict, digest = loaded_foreign(value)
        return Loaded(predict, None, value, digest)
    if isinstance(value, str | models.Model):
        return _with_spec(value, models.predictor)
    if not callable(value):
        raise InputError(
            f"a model is a checkpoint folder, a name, a Model or a function of one "
            f"image, not {type(value).__name__}"
        )
    return Loaded(value, None, function_name(value), function_digest(value))


def loaded_transform(value: str | models.Model, *, sigma: float) -> Loaded:
    """The denoiser that a field names, or that it is, for noise of `sigma`."""
    return _with_spec(value, functools.partial(models.restorer, sigma=sigma))


def held_model(model: models.Model, name: str) -> Loaded:
    """Any model, for its hash: nothing is asked of it."""
    return Loaded(_not_asked, model, name, models.function_hash(model)[:16])


def _not_asked(image):
    raise TypeError("this model stands for its hash alone")


def _with_spec(value: str | models.Model, function: Callable) -> Loaded:
    model = models.load_model(value) if isinstance(value, str) else value
    name = value if isinstance(value, str) else model.spec.architecture
    return held_model(model, name)._replace(predict=function(model))


def weights_of(model: Loaded) -> int:
    """How many numbers a model holds."""
    held = model.model.variables["params"] if model.model else model.predict
    return sum(np.size(leaf) for leaf in jax.tree.leaves(held))


def image_shape_of(model: Loaded, source: data.Source) -> tuple[int, int, int]:
    """The shape of the images that a model is asked about."""
    if model.model is not None:
        height, width, channels = model.model.spec.image_shape
        return height, width, channels
    if source.image_shape is not None:
        return source.image_shape
    return source.read(0).image.shape


def size_of(model: Loaded, role: str) -> tuple[int, int, int]:
    """What a model reads, for pictures of any size; InputError if it does not say."""
    if model.model is None:
        raise InputError(
            f"`{role}`={model.name} does not say what size it reads, which pictures "
            "are resized to; wanted a checkpoint or a Model"
        )
    height, width, channels = model.model.spec.image_shape
    if channels != 3:
        raise InputError(
            f"`{role}`={model.name} reads images of {channels} channels; pictures need "
            "one that reads color"
        )
    return height, width, channels


def check_compatible(source: data.Source, used: dict[str, Loaded]) -> None:
    """Refuses data that one of the models cannot read, before anything is written."""
    specs = {
        role: model.model.spec
        for role, model in used.items()
        if model.model is not None and not models.gives_images(model.model.spec)
    }
    for spec in specs.values():
        data.check_compatible(
            source, image_shape=spec.image_shape, num_classes=spec.num_classes
        )
    classes = {role: spec.num_classes for role, spec in specs.items()}
    if len(set(classes.values())) > 1:
        raise InputError(f"the models disagree on the number of classes: {classes}")
