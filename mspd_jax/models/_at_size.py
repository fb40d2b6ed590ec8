"""Resizing and cropping in front of a network, as published evaluations do it."""

import functools
from collections.abc import Callable

import jax
from jax.tree_util import Partial

from mspd_jax.models._callable import as_pytree
from mspd_jax.resizing import Rule, parse_rule

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
      rule: steps and an interpolation, like "resize256-crop224-bicubic", as
        `resizing.parse_rule` reads them.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree. InputError for images that are
      smaller than the crop.

    Example:
      surrogate = models.at_size(predict, "resize256-crop224-bilinear")
    """
    return Partial(_function_of(parse_rule(rule)), as_pytree(predict))


@functools.cache
def _function_of(rule: Rule) -> Callable:
    """What a rule does in front of a network; one function for each, for `jit`."""

    def resized(predict, image):
        for step in rule.steps:
            size = step.size_of(*image.shape[:2])
            if step.kind == "crop":
                top, left = step.corner_of(*image.shape[:2])
                image = image[top : top + size[0], left : left + size[1]]
                continue
            method = _METHODS[rule.interpolation]
            image = jax.image.resize(image, (*size, image.shape[2]), method)
        return predict(image)

    return resized
