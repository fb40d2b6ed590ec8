"""Models from the files of other libraries."""

from mspd_jax.models.conversion._convert import convert_torch
from mspd_jax.models.conversion._tensor_file import file_sha256, read_tensors

__all__ = ["convert_torch", "file_sha256", "read_tensors"]
