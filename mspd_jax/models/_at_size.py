"""Resizing and cropping in front of a network, as published evaluations do it."""

import functools
import re
from collections.abc import Callable

import jax
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.models._callable import as_pytree

_STEP = re.compile(r"(resize|crop)([1-9]\d*)(?:x([1-9]\d*))?")
# JAX antialiases as PIL does, with the same kernels (cubic: a = -0.5).
_METHODS = {"bilinear": "linear", "bicubic": "cubic"}


def at_size(predict: Callable, rule: str) -> Partial:
    """A classifier of images of any size: they are resized and cropped to its own.

        image [H, W, C] -> predict(crop(resize(image)))

    Guarantee: the pixels of `torchvision.transforms.v2.functional.resize` with
    antialias=True (whose kernels are PIL's; bicubic with a = -0.5) and of `center_crop`
    on float tensors. Bicubic values may lie outside of [0, 1] a little, where 8-bit
    evaluations cut them off. It is linear, so the gradient is exact; pixels that are
    cropped get none.

    Args:
      predict: [h, w, C] -> [K], a callable pytree or a function.
      rule: steps from left to right and the interpolation, as in
        "resize256-crop224-bicubic": `resize256` makes the shorter side 256 and keeps
        the aspect, `resize224x192` makes it 224 high and 192 wide, `crop224` (or
        `crop224x192`) keeps the center; then `bilinear` or `bicubic`.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree. InputError for images that are
      smaller than the crop.

    Example:
      surrogate = models.at_size(predict, "resize256-crop224-bilinear")
    """
    return Partial(_function_of(rule), as_pytree(predict))


@functools.cache
def _function_of(rule: str) -> Callable:
    """What a rule does in front of a network; one function for each, for `jit`."""
    *texts, interpolation = rule.split("-")
    steps = [_STEP.fullmatch(text) for text in texts]
    if interpolation not in _METHODS or not steps or not all(steps):
        raise InputError(
            f"the rule {rule!r} is none: accepted are steps and an interpolation, like "
            "resize256-crop224-bicubic, resize224x224-bilinear"
        )

    def resized(predict, image):
        for step in filter(None, steps):
            kind, first, second = step.groups()
            if kind == "crop":
                image = _crop(image, int(first), int(second or first))
                continue
            size = (int(first), int(second)) if second else None
            size = size or _with_short_side(image.shape[:2], int(first))
            shape = (*size, image.shape[2])
            image = jax.image.resize(image, shape, _METHODS[interpolation])
        return predict(image)

    return resized


def _with_short_side(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    height, width = shape
    if height <= width:
        return side, int(side * width / height)
    return int(side * height / width), side


def _crop(image: jax.Array, height: int, width: int) -> jax.Array:
    if image.shape[0] < height or image.shape[1] < width:
        raise InputError(
            f"an image of {image.shape[0]}x{image.shape[1]} pixels is smaller than the "
            f"crop of {height}x{width}: resize it first"
        )
    top = round((image.shape[0] - height) / 2)
    left = round((image.shape[1] - width) / 2)
    return image[top : top + height, left : left + width]
