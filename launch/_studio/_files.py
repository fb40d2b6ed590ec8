"""What the page shows of files and hands out: previews, and all of them as a zip."""

import pathlib
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from launch._studio._work import Protected
from mspd_jax import pictures

_LONGEST = 2000  # pixels of a side of a preview


class Previews(NamedTuple):
    """Files that every browser shows, without loss. difference: the change, x10."""

    before: pathlib.Path
    after: pathlib.Path
    difference: pathlib.Path


def previews(one: Protected, folder: pathlib.Path) -> Previews:
    """Writes the previews of a picture; upright, without what is hidden by alpha."""
    before, after = (
        _eight_bits(pictures.read_picture(path).levels)
        for path in (one.original, one.file)
    )
    shown = before, after, pictures.enlarged_difference(before, after)
    folder.mkdir(parents=True, exist_ok=True)
    made = Previews(*(folder / f"{name}.png" for name in Previews._fields))
    for path, levels in zip(made, shown, strict=True):
        _write(path, levels)
    return made


def bundled(done: Sequence[Protected], path: pathlib.Path) -> pathlib.Path:
    """A zip of the protected pictures, under their names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bundle:
        for one in done:
            bundle.write(one.file, one.name)
    return path


def _eight_bits(levels: np.ndarray) -> np.ndarray:
    return levels if levels.dtype == np.uint8 else (levels >> 8).astype(np.uint8)


def _write(path: pathlib.Path, levels: np.ndarray) -> None:
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    image = image.convert("RGB")
    # By the nearest pixels: a mean would take away the change that is to be seen.
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.NEAREST)
    image.save(path)
