"""Opening a source by its specification, `SCHEME:REST`."""

import os
import re

from mspd_jax.data._arrayrecord import open_arrayrecord
from mspd_jax.data._digits import open_digits
from mspd_jax.data._folder import open_folder
from mspd_jax.data._npz import open_npz
from mspd_jax.data._record import Source
from mspd_jax.data._resized import resized
from mspd_jax.data._tfds import open_tfds
from mspd_jax.errors import InputError
from mspd_jax.resizing import parse_rule

_SCHEMES = {
    "digits": "digits:train or digits:test",
    "tfds": "tfds:NAME:SPLIT",
    "folder": "folder:PATH",
    "npz": "npz:PATH",
    "arrayrecord": "arrayrecord:PATH",
}
_RULE = re.compile(r"(?:resize|crop)[^:]*")


def has_scheme(spec: str) -> bool:
    """Whether a text is meant for `open_source`, and not a path of its own."""
    scheme, colon, _ = spec.partition(":")
    return bool(colon) and (scheme in _SCHEMES or bool(_RULE.fullmatch(scheme)))


def open_source(
    spec: str,
    *,
    data_dir: str | os.PathLike | None = None,
    limit: int | None = None,
) -> Source:
    """Opens the images that `spec` names.

    digits:train|test   the embedded 8x8 digits
    tfds:NAME:SPLIT     a prepared TFDS data set below `data_dir`, no TensorFlow
    folder:PATH         a run folder, class folders, flat `00042_7.png`, or photos
    npz:PATH            arrays x (images) and y (labels)
    arrayrecord:PATH    a data set of images that a job wrote, or the folder of its run

    In front of these a rule, as in `resize256-crop224-bicubic:folder:PATH`, resizes and
    crops the images as published evaluations do.

    Raises InputError with one line for whatever cannot be opened. A single unreadable
    image is reported by `Source.read`, not here.

    Args:
      spec: one of these forms.
      data_dir: folder of prepared TFDS data sets (only `tfds` uses it).
      limit: take so many images only, the first in the order of their index, of photos
        and class folders in the order of their names; more than there are is fine.

    Example:
      source = data.open_source("digits:test", limit=8)
      image = source.read(0).image
    """
    scheme, colon, rest = spec.partition(":")
    if colon and _RULE.fullmatch(scheme):
        parse_rule(scheme)  # before anything is read
        return resized(open_source(rest, data_dir=data_dir, limit=limit), scheme)
    if scheme not in _SCHEMES or not colon or not rest:
        forms = ", ".join(_SCHEMES.values())
        raise InputError(
            f"source {spec!r} is not understood; wanted one of: {forms} (a rule like "
            "resize256-crop224-bicubic: may stand before it)"
        )
    if limit is not None and limit <= 0:
        raise InputError(f"`limit`={limit}: wanted at least 1 image")
    if scheme == "digits":
        return open_digits(spec, rest, limit=limit)
    if scheme == "tfds":
        return open_tfds(spec, rest, data_dir=data_dir, limit=limit)
    if scheme == "folder":
        return open_folder(spec, rest, limit=limit)
    if scheme == "arrayrecord":
        return open_arrayrecord(spec, rest, limit=limit)
    return open_npz(spec, rest, limit=limit)
