"""Fewer levels for each pixel."""

import jax
import jax.numpy as jnp

from mspd_jax.defenses._checks import check_integer


def bit_depth(image: jax.Array, *, bits: int) -> jax.Array:
    """The image with 2^bits levels for each value (Xu et al. 2018, arXiv 1704.01155).

        x -> round(x (2^bits - 1)) / (2^bits - 1)

    bits: 1 to 8, static; 8 is what an image file holds. image: [H, W, C] in [0, 1], not
    clipped. Returns [H, W, C]. Its gradient is zero: to attack a classifier behind it,
    put the identity's in its place (`attacks.straight_through`).
    """
    bits = check_integer("bits", bits, least=1, most=8)
    most = 2.0**bits - 1.0
    return jnp.round(image * most) / most
