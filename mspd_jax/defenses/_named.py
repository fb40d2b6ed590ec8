"""Defenses by the names that `defense` takes, each a transform of images."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.attacks import fixed, straight_through
from mspd_jax.defenses._bit_depth import bit_depth
from mspd_jax.defenses._blur import gaussian_blur, median_blur
from mspd_jax.defenses._gcm import E, W, concealed
from mspd_jax.defenses._gradient_map import map_count
from mspd_jax.defenses._jpeg import jpeg_soft
from mspd_jax.defenses._jpeg_codec import jpeg
from mspd_jax.defenses._random_resize import random_resize
from mspd_jax.defenses._total_variation import total_variation
from mspd_jax.defenses._trn import restoration
from mspd_jax.errors import InputError
from mspd_jax.models import Model, restorer


class Layer(NamedTuple):
    """One defense as a transform of images, and what an attacker should know of it.

    Attributes:
      transform: what is deployed.
      detached: the same with its inner gradient as a constant, None where there is none
        inside.
      hides: whether the gradient of the transform is useless.
      moves: whether it moves pixels, so that its own gradient is the only one that
        points to the right place.
      model: what it computes with.
    """

    transform: Callable
    detached: Callable | None = None
    hides: bool = False
    moves: bool = False
    model: Model | None = None


class Parts(NamedTuple):
    """What a defense is built from: the key of its draws, the classifier alone, the
    shape of its images and its classes, and what reads a checkpoint by its path."""

    key: jax.Array
    predict: Callable
    image_shape: tuple[int, ...]
    num_classes: int
    load: Callable[[str], Model]


class Entry(NamedTuple):
    """make: (parts, argument) -> Layer. argument: what help texts call it, "" for none.
    read: from its text, ValueError if it is none. accepted: which are, in words."""

    make: Callable[..., Layer]
    argument: str = ""
    read: Callable[[str], object] = str
    accepted: str = ""


def known_defenses() -> str:
    """The names of all defenses with their arguments, for messages and help texts."""
    shown = [
        f"{name}:{entry.argument} ({entry.accepted})" if entry.argument else name
        for name, entry in DEFENSES.items()
    ]
    return ", ".join(shown)


def named_layer(parts: Parts, text: str) -> Layer:
    """The defense that a text such as `jpeg:75` names.

    Raises InputError for an unknown name, an argument that is missing, superfluous or
    not accepted, and for a checkpoint that does not fit the classifier.
    """
    name, colon, argument = text.partition(":")
    if name not in DEFENSES:
        known = ", ".join(f"{n}:{d.argument}".rstrip(":") for n, d in DEFENSES.items())
        raise InputError(f"unknown defense {text!r}: choose from {known}")
    entry = DEFENSES[name]
    if not entry.argument:
        if colon:
            raise InputError(f"defense {text!r}: {name} takes no argument")
        return entry.make(parts)
    try:
        value = entry.read(argument)
    except ValueError:
        raise InputError(
            f"defense {text!r}: write {name}:{entry.argument} with {entry.accepted}"
        ) from None
    try:
        return entry.make(parts, value)
    except InputError as error:
        raise InputError(f"defense {text!r}: {error}") from error


def _path(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _whole(least: int, most: int, step: int = 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if value not in range(least, most + 1, step):
            raise ValueError(text)
        return value

    return read


def _number(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if math.isnan(value) or not 0.0 < value <= most:
            raise ValueError(text)
        return value

    return read


def _gcm(parts: Parts) -> Layer:
    del parts
    constants = {"w": jnp.float32(W), "e": jnp.float32(E)}
    return Layer(Partial(concealed, **constants), hides=True)


def _trn(parts: Parts, path: str) -> Layer:
    network = parts.load(path)
    transform = restoration(parts.predict, network)  # refuses other kinds of models
    own, wanted = tuple(network.spec.image_shape), parts.image_shape
    if own != wanted:
        raise InputError(f"it restores images of shape {own}, the model reads {wanted}")
    maps, classes = network.spec.options.get("maps", 1), parts.num_classes
    if maps != map_count(network.spec.options.get("rule", "predicted"), classes):
        raise InputError(
            f"it was made for a classifier of {maps} classes, this one has {classes}"
        )
    detached = restoration(parts.predict, network, detach=True)
    return Layer(transform, detached=detached, model=network)


def _denoiser(parts: Parts, path: str) -> Layer:
    denoiser = parts.load(path)
    transform = restorer(denoiser)  # refuses other kinds of models
    own, wanted = denoiser.spec.image_shape[-1], parts.image_shape[-1]
    if own != wanted:
        raise InputError(f"it is for images of {own} channels, not {wanted}")
    return Layer(transform, model=denoiser)


def _jpeg(parts: Parts, quality: int) -> Layer:
    del parts
    hard, soft = (Partial(fixed(f, quality=quality)) for f in (jpeg, jpeg_soft))
    return Layer(straight_through(hard, backward=soft))


def _resize(parts: Parts, least: float) -> Layer:
    share = jnp.float32(least)
    return Layer(Partial(random_resize, parts.key, least=share), moves=True)


def _static(
    function: Callable, option: str, *, hides: bool = False
) -> Callable[..., Layer]:
    """A transform that compiles anew for each value of its option."""

    def make(parts: Parts, value: object) -> Layer:
        del parts
        return Layer(Partial(fixed(function, **{option: value})), hides=hides)

    return make


def _traced(function: Callable, option: str) -> Callable[..., Layer]:
    return lambda parts, value: Layer(Partial(function, **{option: jnp.float32(value)}))


_QUALITY = ("QUALITY", _whole(1, 100), "a whole number from 1 to 100")
_TRN = ("CKPT", _path, "a checkpoint of train_trn")
_DENOISER = ("CKPT", _path, "a checkpoint of train_denoiser")
_BITS = ("BITS", _whole(1, 8), "a whole number from 1 to 8")
_WIDTH = ("WIDTH", _number(10.0), "a number of pixels above 0 and at most 10")
_SIZE = ("SIZE", _whole(3, 9, 2), "an odd whole number of pixels from 3 to 9")
_WEIGHT = ("WEIGHT", _number(1.0), "a number above 0 and at most 1")
_LEAST = ("LEAST", _number(1.0), "a share above 0 and at most 1")

DEFENSES = {
    "gcm": Entry(_gcm),
    "trn": Entry(_trn, *_TRN),
    "denoiser": Entry(_denoiser, *_DENOISER),
    "jpeg": Entry(_jpeg, *_QUALITY),
    "jpeg-soft": Entry(_static(jpeg_soft, "quality"), *_QUALITY),
    "bits": Entry(_static(bit_depth, "bits", hides=True), *_BITS),
    "gaussian": Entry(_traced(gaussian_blur, "width"), *_WIDTH),
    "median": Entry(_static(median_blur, "size"), *_SIZE),
    "tv": Entry(_traced(total_variation, "weight"), *_WEIGHT),
    "resize": Entry(_resize, *_LEAST),
}
