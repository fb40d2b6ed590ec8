"""Networks of other libraries, run by JAX."""

from mspd_jax.models.foreign._from_onnx import from_onnx
from mspd_jax.models.foreign._from_torch import from_torch

__all__ = ["from_onnx", "from_torch"]
