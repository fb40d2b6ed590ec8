"""Files and folders, on the disk or in an object store (`gs://`, `s3://`).

Whatever a user gives as a path becomes one by `as_path`. Paths of the disk are those of
`pathlib` and are worked on as ever; those of a store know their names alone
(`etils.epath`), and all that is done to objects is done here, through fsspec.
"""

from mspd_jax.paths._copies import fetch as fetch
from mspd_jax.paths._copies import local_copy as local_copy
from mspd_jax.paths._copies import local_file as local_file
from mspd_jax.paths._copies import send_file as send_file
from mspd_jax.paths._copies import send_folder as send_folder
from mspd_jax.paths._copies import was_begun as was_begun
from mspd_jax.paths._files import children as children
from mspd_jax.paths._files import copy_object as copy_object
from mspd_jax.paths._files import each as each
from mspd_jax.paths._files import exists as exists
from mspd_jax.paths._files import files_below as files_below
from mspd_jax.paths._files import is_dir as is_dir
from mspd_jax.paths._files import is_file as is_file
from mspd_jax.paths._files import opened as opened
from mspd_jax.paths._files import read_bytes as read_bytes
from mspd_jax.paths._files import read_text as read_text
from mspd_jax.paths._files import remove as remove
from mspd_jax.paths._files import resolved as resolved
from mspd_jax.paths._files import side_by_side as side_by_side
from mspd_jax.paths._files import version as version
from mspd_jax.paths._files import write_object as write_object
from mspd_jax.paths._path import as_path, is_store
from mspd_jax.paths._sums import SUMS as SUMS
from mspd_jax.paths._sums import changed_file as changed_file
from mspd_jax.paths._sums import sums_of as sums_of

# What users call; other rooms may import the rest.
__all__ = ["as_path", "is_store"]
