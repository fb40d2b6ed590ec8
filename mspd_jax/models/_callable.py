"""Functions as pytrees, so that wrappers can hold them, and the plainest wrapper."""

from collections.abc import Callable

import chex
import jax
from jax.tree_util import Partial


def as_pytree(function: Callable) -> Callable:
    """A plain function as a pytree without leaves; a callable pytree as it is."""
    is_leaf = jax.tree_util.all_leaves([function])
    return Partial(function) if is_leaf else function


def behind(transform: Callable, predict: Callable) -> Partial:
    """A classifier behind a transform of images, such as a denoiser.

        x -> predict(transform(x))

    transform: [H, W, C] -> [H, W, C]; predict: [H, W, C] -> [K]; callable pytrees or
    functions, whose leaves stay leaves (a transform that holds PRNG keys makes a
    randomised model). Gradient flows through both.
    """
    return Partial(_behind, as_pytree(transform), as_pytree(predict))


def _behind(transform, predict, image):
    changed = transform(image)
    chex.assert_equal_shape([changed, image])
    return predict(changed)
