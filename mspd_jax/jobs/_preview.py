"""A look at what protection does to a picture, before the many are done."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from mspd_jax import data, drive, paths, pictures, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._likeness import likeness
from mspd_jax.jobs._picture_work import Guide, as_pictures, made, picture_of

_SIDE = 512  # pixels, of the part that is shown
_NAME = "preview.png"


class Preview(NamedTuple):
    """What was shown: the original, the protected, and ten times the difference.

    file: that holds them side by side. name: of the picture. width, height: of the part
    of it that was protected. psnr: in dB, None where nothing changed.
    """

    file: pathlib.PurePath
    name: str
    width: int
    height: int
    largest_change: float
    psnr: float | None


def previewed(
    key: jax.Array,
    guide: Guide,
    protect: Callable,
    source: data.Source,
    listing: pictures.Listing,
    out: str | pathlib.PurePath,
) -> Preview:
    """Protects the middle of the first picture, and writes a file of it into `out`."""
    file = _free_place(paths.as_path(out)) / _NAME
    first = {str(path): at for at, path in enumerate(source.files or ())}
    record = as_pictures(source, listing).read(first[str(listing.files[0][0])])
    whole = picture_of(record)
    part: Any = whole._replace(levels=_middle(whole.levels), alpha=None)
    found = made(
        *(guide, protect, lambda shape: drive.spread),
        *(key, record._replace(image=part)),
    )
    difference = pictures.enlarged_difference(part.levels, found.levels)
    shown = np.concatenate([part.levels, found.levels, difference], axis=1)
    packed = pictures.encode_picture(part._replace(levels=shown), strip_metadata=True)
    runs.write_file(file, packed)
    like = likeness(part.levels, found.levels)
    height, width, _ = part.levels.shape
    return Preview(
        file, record.name, width, height, like["largest_change"] or 0.0, like["psnr"]
    )


def _free_place(folder: pathlib.PurePath) -> pathlib.PurePath:
    """A folder that holds no more than an earlier preview."""
    if paths.is_dir(folder):
        if any(path.name != _NAME for path in paths.children(folder)):
            raise InputError(
                f"`out`={folder} is not empty; a preview wants a folder of its own"
            )
    return folder


def _middle(levels: np.ndarray) -> np.ndarray:
    top, left = (max(side - _SIDE, 0) // 2 for side in levels.shape[:2])
    return levels[top : top + _SIDE, left : left + _SIDE]
