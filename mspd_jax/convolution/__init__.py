"""Convolution as primitives of our own: what CPUs like, with any-order derivatives."""

from mspd_jax.convolution._convolution import (
    convolution,
    direct_convolutions,
    library_convolutions,
)

__all__ = ["convolution", "direct_convolutions", "library_convolutions"]
