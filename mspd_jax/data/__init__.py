"""Sources of images (embedded digits, TFDS, folders, arrays), 8-bit files, data sets.

Images are float32 [H, W, C] in [0, 1]; labels are integers, -1 where unknown. A source
knows its content: `Source.fingerprint` changes with any image, label, name or index,
`Source.digest_of` with one image, wherever the data lies.
"""

from mspd_jax.data._arrayrecord_write import merge_parts as merge_parts
from mspd_jax.data._arrayrecord_write import write_part as write_part
from mspd_jax.data._check import check_compatible as check_compatible
from mspd_jax.data._check import check_unchanged as check_unchanged
from mspd_jax.data._check import load_arrays
from mspd_jax.data._example import Row as Row
from mspd_jax.data._files import FileKind as FileKind
from mspd_jax.data._files import file_source as file_source
from mspd_jax.data._image import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from mspd_jax.data._image import encode_png as encode_png
from mspd_jax.data._image import largest_level as largest_level
from mspd_jax.data._image import read_image, write_png
from mspd_jax.data._name_index import name_indices as name_indices
from mspd_jax.data._open import has_scheme as has_scheme
from mspd_jax.data._open import open_source
from mspd_jax.data._quantize import quantize
from mspd_jax.data._record import Record, Source
from mspd_jax.data._record import as_float as as_float
from mspd_jax.data._select import every as every
from mspd_jax.data._select import from_arrays, select
from mspd_jax.data._select import paired as paired
from mspd_jax.data._select import shard as shard

# What users call; other rooms may import the rest.
__all__ = [
    "Record",
    "Source",
    "from_arrays",
    "load_arrays",
    "open_source",
    "quantize",
    "read_image",
    "select",
    "write_png",
]
