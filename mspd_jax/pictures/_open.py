"""Pictures as a source of images."""

import os

from mspd_jax import data
from mspd_jax.errors import InputError
from mspd_jax.pictures._earlier import indexed_name
from mspd_jax.pictures._file import shown
from mspd_jax.pictures._list import Listing, list_pictures
from mspd_jax.pictures._read import picture_floats, picture_shape


def open_pictures(
    spec: str,
    place: str | os.PathLike,
    *,
    limit: int | None = None,
    out: str | os.PathLike | None = None,
    listing: Listing | None = None,
) -> data.Source:
    """Source of the pictures in a place; see `list_pictures`.

    An image is float32 [H, W, C] in [0, 1], upright, without alpha: the level divided
    by 255, or by 65535 where the file holds 16 bits. Sizes differ, labels are -1. The
    index follows from the name of the output, which ends in `.png`. What cannot be read
    surfaces at `Source.read`. A limit takes the first in the order of the names.

    out: the folder that will be written into, as for `list_pictures`. listing: what
    that has found there, in whatever format, so that nothing is looked for twice.

    Example:
      source = pictures.open_pictures("photos", "photos/*.jpg", limit=8)
    """
    if limit is not None and limit <= 0:
        raise InputError(f"`limit`={limit}: wanted at least 1 picture")
    listing = listing or list_pictures(place, out=out)
    if not listing.files:
        passed = [f"; {shown(path)} {reason}" for path, reason in listing.skipped[:1]]
        raise InputError(
            f"source {spec!r}: no pictures in {shown(place)}{''.join(passed)}"
        )
    names = [indexed_name(name) for _, name in listing.files]
    entries = [
        (index, -1, path, name)
        for index, (path, _), name in zip(
            data.name_indices(names), listing.files, names, strict=True
        )
    ]
    kind = data.FileKind(picture_floats, picture_shape)
    return data.file_source(spec, entries[:limit], kind)
