"""Gradient concealment (Pei et al. 2022, arXiv 2205.10617), which leaves every value as
it is and makes every gradient useless: gradient masking, see `gcm`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax.models import behind

# The paper's.
W, E = 1e20, 1e-8


def concealed(
    image: jax.Array, *, w: float | jax.Array, e: float | jax.Array
) -> jax.Array:
    """The image with a ripple that is too low to see and too steep to climb.

        x' = x + e sin(w x),    dx'/dx = 1 + e w cos(w x)

    Values: x' differs from x by at most e before it is rounded. With e = 1e-8 that is
    below half the distance between float32 numbers above 1/4, where nothing changes;
    below, pixels move by less than 2e-8. Gradient: with w = 1e20 it is multiplied by up
    to 1e12, with a sign that is as good as random, since neighboring floats lie many
    periods apart. At exactly 0 the cosine is 1: black pixels are not concealed.

    image: float32 [H, W, C] in [0, 1]; w, e: traced. Returns float32 [H, W, C]. Raises
    ValueError for any other type: float16 cannot hold w, so that the result is NaN;
    bfloat16 has rounded the image to 8 bits, which moves the logits; in float64 the
    ripple survives in every pixel, instead of being lost in rounding.
    """
    image = jnp.asarray(image)
    if image.dtype != jnp.float32:
        raise ValueError(
            f"image must be float32, whose rounding hides the ripple; got {image.dtype}"
        )
    return image + e * jnp.sin(w * image)


def gcm(predict: Callable, *, w: float = W, e: float = E) -> Partial:
    """A classifier behind gradient concealment: the same logits, a useless gradient.

        x -> predict(x + e sin(w x))

    Guarantee: none. This is gradient masking, not robustness: the worst images of the
    ball are where they were, and only attacks that follow the reported
    gradient miss them. `evaluate.examine` fails it (sign coherence, gradient is the
    derivative). It falls to whoever puts the identity in place of the layer's
    derivative, which is the gradient of `predict` itself, or asks for scores alone.

    When not to use: to protect anything from somebody who may know of it, or to report
    an accuracy under attack without that of an adaptive attack beside it. It has its
    place where a published defense is to be measured, or a check of evaluations is.

    Args:
      predict: [H, W, C] -> [K], a callable pytree or a function.
      w, e: the paper's, kept as float32 leaves, so that others do not compile again;
        ValueError if float32 cannot hold them.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree.

    Example:
      concealed = defenses.gcm(predict)
      adaptive = attacks.bpda(concealed, backward=predict)
      attacks.pgd(key, concealed, image, label, eps=8 / 255)  # weak
      attacks.pgd(key, adaptive, image, label, eps=8 / 255)  # as strong as without it
      attacks.square(key, concealed, image, label, eps=8 / 255)  # the same
    """
    leaves = {}
    for name, value in {"w": w, "e": e}.items():
        with np.errstate(over="ignore"):
            leaf = np.float32(value)
        if not np.isfinite(leaf):
            raise ValueError(f"{name} must be finite in float32; got {value}")
        leaves[name] = jnp.asarray(leaf)
    return behind(Partial(concealed, **leaves), predict)
