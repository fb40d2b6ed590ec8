"""Convolutions and maxima as CPUs like them, with derivatives of any order."""

from mspd_jax.convolution._convolution import (
    convolution,
    direct_convolutions,
    library_convolutions,
)
from mspd_jax.convolution._max_pool import max_pool
from mspd_jax.convolution._onednn import is_compiled_anew as is_compiled_anew

__all__ = ["convolution", "direct_convolutions", "library_convolutions", "max_pool"]
