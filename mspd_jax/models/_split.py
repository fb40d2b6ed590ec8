"""A classifier in two parts: a map of places that see little of an image, the rest."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mspd_jax.convolution import direct_convolutions
from mspd_jax.errors import InputError
from mspd_jax.models._build import (
    folded_weights,
    network_of,
    normalization,
    normalize,
    predictor,
    signature,
)
from mspd_jax.models._reach import Reach, reach_of
from mspd_jax.models._spec import Model


class Split(NamedTuple):
    """A classifier, predict(image) = rest(shallow(image)), in its two parts.

    Attributes:
      shallow: image [H, W, C] -> map [h, w, c], a callable pytree.
      rest: map -> logits [K], a callable pytree.
      reaches: what a place of the map reads of the image, by rows and by columns.
      map_shape: (h, w, c).
      image_size: (H, W) of the images that it is for.
    """

    shallow: jax.tree_util.Partial
    rest: jax.tree_util.Partial
    reaches: tuple[Reach, Reach]
    map_shape: tuple[int, int, int]
    image_size: tuple[int, int]


def split(model: Model, cut: str) -> Split:
    """Cuts a classifier in evaluation mode after the layer `cut`, as "stage0_block0".

    Guarantee: a value of the map does not depend on any pixel (a finite number) outside
    its receptive field, `reaches`; not even by rounding, if one program computes it at
    one place of a batch. The fields come from the program of the shallow part
    (`reach_of`); InputError with the reason where there is none, as behind a mean
    over the image, or where there is no such layer. Weights are leaves; equal
    architectures share their compilations.

    Args:
      model: a classifier.
      cut: the last layer of the shallow part, by the network's own name.

    Example:
      parts = models.split(models.load_model("BAGNET"), "stage3_block0")
      logits = parts.rest(parts.shallow(image))  # predictor(model)(image)
    """
    predictor(model)  # refuses what is no classifier
    spec = model.spec
    weights = folded_weights(model)
    first, second = _parts(signature(spec), cut)
    shallow = jax.tree_util.Partial(first, weights, *normalization(spec))
    rest = jax.tree_util.Partial(second, weights)
    try:
        reaches = reach_of(shallow, spec.image_shape)
    except InputError as error:
        raise InputError(
            f"{spec.architecture} cannot be split after {cut!r}: {error}"
        ) from error
    image = jax.ShapeDtypeStruct(spec.image_shape, jnp.float32)
    map_shape = jax.eval_shape(shallow, image).shape
    return Split(shallow, rest, reaches, map_shape, spec.image_shape[:2])


@functools.cache
def _parts(signed, cut) -> tuple[Callable, Callable]:
    network = network_of(signed, folded=True)

    def shallow(weights, mean, std, image):
        with direct_convolutions():
            x = normalize(image, mean, std)
            return network.apply({"params": weights}, x, span=(None, cut))

    def rest(weights, places):
        return network.apply({"params": weights}, places, span=(cut, None))

    return shallow, rest
