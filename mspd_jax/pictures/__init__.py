"""People's own picture files: read without loss, written as they were stored, listed.

A picture is handed out upright, with all that its file held beside the pixels: alpha,
EXIF with its orientation, color profile, XMP, resolution, texts. What could not be
handed out whole is refused, never cut: more than 8 bits in color, inks, animations,
pages. Nothing that a file holds is executed, and no damaged file is read in part.

The previews that cameras put into EXIF and behind a JPEG show the picture as it was:
the former are kept with the EXIF (`strip_metadata` drops them), the latter are not.
"""

from mspd_jax.pictures._changes import changes
from mspd_jax.pictures._difference import enlarged_difference as enlarged_difference
from mspd_jax.pictures._example import EXAMPLE as EXAMPLE
from mspd_jax.pictures._file import shown as shown
from mspd_jax.pictures._formats import FORMATS
from mspd_jax.pictures._list import Listing, list_pictures
from mspd_jax.pictures._open import open_pictures
from mspd_jax.pictures._picture import Picture
from mspd_jax.pictures._preview import keeps_preview
from mspd_jax.pictures._read import MOST_PIXELS, read_picture
from mspd_jax.pictures._write import check_quality as check_quality
from mspd_jax.pictures._write import check_writable, encode_picture, write_picture

__all__ = [
    "FORMATS",
    "MOST_PIXELS",
    "Listing",
    "Picture",
    "changes",
    "check_writable",
    "encode_picture",
    "keeps_preview",
    "list_pictures",
    "open_pictures",
    "read_picture",
    "write_picture",
]
