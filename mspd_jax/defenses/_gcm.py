"""Gradient concealment (Pei et al. 2022, arXiv 2205.10617).

A layer without parameters that leaves every value as it is and makes every gradient
useless. It is gradient masking: see `conceal` for what that is worth.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax.models import behind


def concealed(image, *, w, e) -> jax.Array:
    """The image with a ripple that is too low to see and too steep to climb.

        x' = x + e sin(w x),    dx'/dx = 1 + e w cos(w x)

    Values: x' differs from x by at most e before it is rounded. With e = 1e-8 that is
    below half the distance between float32 numbers above 1/4, where nothing changes;
    below, pixels move by less than 2e-8. Gradient: with w = 1e20 it is multiplied by up
    to 1e12, with a sign that is as good as random, since neighboring floats lie many
    periods apart. At exactly 0 the cosine is 1: black pixels are not concealed.

    image: float32 [H, W, C] in [0, 1]; w, e: traced. Returns float32 [H, W, C]. Raises
    ValueError for any other type: float16 cannot hold w, so that it gives NaN; bfloat16
    has rounded the image to 8 bits, which moves the logits; in float64 the ripple
    survives in every pixel, instead of being lost in rounding.
    """
    image = jnp.asarray(image)
    if image.dtype != jnp.float32:
        raise ValueError(
            f"image must be float32, whose rounding hides the ripple; got {image.dtype}"
        )
    return image + e * jnp.sin(w * image)


def conceal(predict: Callable, *, w: float = 1e20, e: float = 1e-8) -> Partial:
    """A classifier behind `concealed`: the same logits, a gradient that leads nowhere.

        x -> predict(x + e sin(w x))

    Guarantee: none. This is gradient masking, not robustness: the worst images of the
    ball are where they were, and only attacks that follow the gradient as it is given
    miss them. `evaluate.examine` fails it (sign coherence, gradient is the derivative).
    It falls to whoever puts the identity in place of the layer's derivative, which is
    the gradient of `predict` itself, or asks for scores alone:

        layer = Partial(concealed, w=w, e=e)
        adaptive = models.behind(attacks.straight_through(layer), predict)
        attacks.pgd(key, adaptive, image, label, ...)        # as strong as without it
        attacks.bpda(conceal(predict), backward=predict)     # the same, of the whole
        attacks.square(key, conceal(predict), image, label, ...)

    When not to use: to protect anything from somebody who may know of it, or to report
    an accuracy under attack without that of an adaptive attack beside it. It has its
    place where a published defence is to be measured, or a check of evaluations is.

    predict: [H, W, C] -> [K], a callable pytree or a function. w, e: the paper's, kept
    as float32 leaves, so that others do not compile again; ValueError if float32 cannot
    hold them.
    """
    leaves = {}
    for name, value in {"w": w, "e": e}.items():
        with np.errstate(over="ignore"):
            leaf = np.float32(value)
        if not np.isfinite(leaf):
            raise ValueError(f"{name} must be finite in float32; got {value}")
        leaves[name] = jnp.asarray(leaf)
    return behind(Partial(concealed, **leaves), predict)
