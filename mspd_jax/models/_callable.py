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

    Gradient flows through both. Leaves of both stay leaves (a transform that holds PRNG
    keys makes a randomized model).

    Args:
      transform: [H, W, C] -> [H, W, C], a callable pytree or a function.
      predict: [H, W, C] -> [K], a callable pytree or a function.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree.

    Example:
      denoise = models.restorer(models.load_model("DENOISER"))
      predict = models.behind(denoise, models.predictor(model))
    """
    return Partial(_behind, as_pytree(transform), as_pytree(predict))


def _behind(transform: Callable, predict: Callable, image: jax.Array) -> jax.Array:
    changed = transform(image)
    chex.assert_equal_shape([changed, image])
    return predict(changed)
