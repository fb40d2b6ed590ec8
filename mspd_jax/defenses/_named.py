"""Defences by the names that `--defense` takes, each a transform of images."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import straight_through
from mspd_jax.defenses._bit_depth import bit_depth
from mspd_jax.defenses._blur import gaussian_blur, median_blur
from mspd_jax.defenses._gcm import concealed
from mspd_jax.defenses._gradient_map import map_count
from mspd_jax.defenses._jpeg import jpeg_soft
from mspd_jax.defenses._jpeg_codec import jpeg
from mspd_jax.defenses._random_resize import random_resize
from mspd_jax.defenses._restore import restoration
from mspd_jax.defenses._total_variation import total_variation
from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec, restorer


class Layer(NamedTuple):
    """One defence as a transform of images, and what an attacker should know of it.

    transform: what is deployed. detached: the same with its inner gradient as a
    constant, None where there is no such. hides: whether the gradient of the transform
    leads nowhere. moves: whether it moves pixels, so that its own gradient is the only
    one that points to the right place. model: what it computes with.
    """

    transform: Callable
    detached: Callable | None = None
    hides: bool = False
    moves: bool = False
    model: Model | None = None


class Given(NamedTuple):
    """What a defence is built from.

    key: of what it draws. predict, spec: the classifier alone and its specification.
    load: reads a checkpoint by its path.
    """

    key: jax.Array
    predict: Callable
    spec: ModelSpec
    load: Callable[[str], Model]


class Named(NamedTuple):
    """What a name stands for.

    make: (given, argument) -> Layer. argument: what help texts call it, "" for none.
    read: from its text, ValueError if it is none. accepted: which are, in words.
    """

    make: Callable[..., Layer]
    argument: str = ""
    read: Callable[[str], object] = str
    accepted: str = ""


def known_defenses() -> str:
    """The names of all defences with their arguments, for messages and help texts."""
    shown = [
        f"{name}:{named.argument} ({named.accepted})" if named.argument else name
        for name, named in DEFENSES.items()
    ]
    return ", ".join(shown)


def named_layer(given: Given, text: str) -> Layer:
    """The defence that a text such as `jpeg:75` names.

    Raises InputError for an unknown name, an argument that is missing, superfluous or
    not accepted, and for a checkpoint that does not fit the classifier.
    """
    name, colon, argument = text.partition(":")
    if name not in DEFENSES:
        known = ", ".join(f"{n}:{d.argument}".rstrip(":") for n, d in DEFENSES.items())
        raise InputError(f"unknown defence {text!r}: choose from {known}")
    named = DEFENSES[name]
    if not named.argument:
        if colon:
            raise InputError(f"defence {text!r}: {name} takes no argument")
        return named.make(given)
    try:
        value = named.read(argument)
    except ValueError:
        raise InputError(
            f"defence {text!r}: write {name}:{named.argument} with {named.accepted}"
        ) from None
    try:
        return named.make(given, value)
    except InputError as error:
        raise InputError(f"defence {text!r}: {error}") from error


def _path(text):
    if not text:
        raise ValueError(text)
    return text


def _whole(least, most, step=1):
    def read(text):
        value = int(text)
        if value not in range(least, most + 1, step):
            raise ValueError(text)
        return value

    return read


def _number(most):
    def read(text):
        value = float(text)
        if math.isnan(value) or not 0.0 < value <= most:
            raise ValueError(text)
        return value

    return read


def _gcm(given):
    del given
    constants = {"w": jnp.float32(1e20), "e": jnp.float32(1e-8)}  # the paper's
    return Layer(Partial(concealed, **constants), hides=True)


def _trn(given, path):
    trn = given.load(path)
    transform = restoration(trn, given.predict)  # refuses other kinds of models
    own, wanted = tuple(trn.spec.image_shape), tuple(given.spec.image_shape)
    if own != wanted:
        raise InputError(f"it restores images of shape {own}, the model reads {wanted}")
    maps, classes = trn.spec.options.get("maps", 1), given.spec.num_classes
    if maps != map_count(trn.spec.options.get("rule", "predicted"), classes):
        raise InputError(
            f"it was made for a classifier of {maps} classes, this one has {classes}"
        )
    detached = restoration(trn, given.predict, detach=True)
    return Layer(transform, detached=detached, model=trn)


def _denoiser(given, path):
    denoiser = given.load(path)
    transform = restorer(denoiser)  # refuses other kinds of models
    own, wanted = denoiser.spec.image_shape[-1], given.spec.image_shape[-1]
    if own != wanted:
        raise InputError(f"it is for images of {own} channels, not {wanted}")
    return Layer(transform, model=denoiser)


def _jpeg(given, quality):
    del given
    soft = _fixed(jpeg_soft, quality=quality)
    return Layer(straight_through(_fixed(jpeg, quality=quality), backward=soft))


def _resize(given, least):
    least = jnp.float32(least)
    return Layer(Partial(random_resize, given.key, least=least), moves=True)


def _static(function, option, **traits):
    """A transform that compiles anew for each value of its option."""
    return lambda given, value: Layer(_fixed(function, **{option: value}), **traits)


def _traced(function, option):
    return lambda given, value: Layer(Partial(function, **{option: jnp.float32(value)}))


@functools.cache
def _fixed(function, **options):
    # One object for equal options: a new one would compile again.
    return Partial(functools.partial(function, **options))


_QUALITY = ("QUALITY", _whole(1, 100), "a whole number from 1 to 100")
DEFENSES = {
    "gcm": Named(_gcm),
    "trn": Named(_trn, "CKPT", _path, "a checkpoint of train_trn"),
    "denoiser": Named(_denoiser, "CKPT", _path, "a checkpoint of train_denoiser"),
    "jpeg": Named(_jpeg, *_QUALITY),
    "jpeg-soft": Named(_static(jpeg_soft, "quality"), *_QUALITY),
    "bits": Named(
        _static(bit_depth, "bits", hides=True),
        "BITS", _whole(1, 8), "a whole number from 1 to 8",
    ),
    "gaussian": Named(
        _traced(gaussian_blur, "width"),
        "WIDTH", _number(10.0), "a number of pixels above 0 and at most 10",
    ),
    "median": Named(
        _static(median_blur, "size"),
        "SIZE", _whole(3, 9, 2), "an odd whole number of pixels from 3 to 9",
    ),
    "tv": Named(
        _traced(total_variation, "weight"),
        "WEIGHT", _number(1.0), "a number above 0 and at most 1",
    ),
    "resize": Named(_resize, "LEAST", _number(1.0), "a share above 0 and at most 1"),
}  # fmt: skip
