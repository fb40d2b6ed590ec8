"""Models from the files of other libraries."""

from mspd_jax.models.conversion._convert import convert_torch
from mspd_jax.models.conversion._convert_published import convert_published
from mspd_jax.models.conversion._published import (
    Published,
    find_published,
    published_models,
)
from mspd_jax.models.conversion._tensor_file import file_sha256, read_tensors

__all__ = [
    "Published",
    "convert_published",
    "convert_torch",
    "file_sha256",
    "find_published",
    "published_models",
    "read_tensors",
]
