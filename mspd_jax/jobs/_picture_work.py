"""The way of one picture: read, protected, rounded, written, measured."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from mspd_jax import attacks, data, pictures, preempt, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._hold import ATTACK, ATTACK_EPS, VIEWS, held
from mspd_jax.jobs._likeness import likeness
from mspd_jax.jobs._picture_line import SpreadOf
from mspd_jax.jobs._values import radius_of

_ROWS = 64  # of a picture that are rounded at once


class Guide(NamedTuple):
    """The models that look at a picture, with what they read, and how much may change.

    labeler: says what is to be seen in the picture.
    """

    predict: Callable
    size: tuple[int, int, int]
    labeler: Callable
    label_size: tuple[int, int, int]
    eps: float


class Made(NamedTuple):
    """levels: as they are after protection. label: that it was made for. key: of the
    picture."""

    levels: np.ndarray
    label: int
    key: jax.Array


def as_pictures(
    source: data.Source, listing: pictures.Listing, **kind: Any
) -> data.Source:
    """The source with whole pictures in the place of float pixels.

    Levels take a quarter of the memory, some pictures wait until others are written,
    and what else a file holds is written back. Names are those of the listing.

    kind: of the files that are written: what no such file can hold is unreadable.
    """
    names = {str(path): name for path, name in listing.files}

    def read(position: int) -> data.Record:
        assert source.files is not None
        file, index = source.files[position], int(source.indices[position])
        picture: Any = pictures.read_picture(file)
        try:
            pictures.check_writable(picture, **kind)
        except InputError as error:
            raise InputError(f"{pictures.shown(file)}: {error}") from error
        return data.Record(index, picture, -1, names[file])

    return source._replace(read=read)


def made(
    guide: Guide,
    protect: Callable,
    spread_of: SpreadOf,
    key: jax.Array,
    record: data.Record,
) -> Made:
    """The protected levels of a picture."""
    levels = picture_of(record).levels
    image = data.as_float(levels)
    label = preempt.view_label(guide.labeler, image, guide.label_size)
    found = protect(
        key,
        guide.predict,
        image,
        label,
        eps=guide.eps,
        size=guide.size,
        spread=spread_of(image.shape),
    )
    top = int(np.iinfo(levels.dtype).max)
    return Made(_rounded(found, image, guide.eps, top), label, key)


def described(
    job: Any, guide: Guide, folder: pathlib.PurePath, record: data.Record, made: Made
) -> dict:
    """Writes a picture as the kind of file that it was; what is said of the file.

    job: says in which format, and whether to `verify`.
    """
    original, levels = picture_of(record), made.levels
    file = f"images/{record.name}"
    kind = kind_of(job)
    packed = pictures.encode_picture(
        original._replace(levels=levels), quality=job.quality, **kind
    )
    try:
        runs.write_file(folder / file, packed)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(
            f"`out`={folder}: what was written before lies in the way of "
            f"{pictures.shown(file)}; give another `out`"
        ) from error
    if job.format == "jpeg" or job.quality is not None:  # what was lost, is measured
        levels = pictures.read_picture(folder / file).levels
    height, width, _ = levels.shape
    return {
        "used_label": made.label,
        "name": record.name,
        "file": file,
        "width": width,
        "height": height,
        "changed": pictures.changes(original, **kind),
        "preview": pictures.keeps_preview(original, **kind),
        **likeness(original.levels, levels),
        **(_checked(guide, made, original.levels, levels) if job.verify else {}),
    }


def kind_of(job: Any) -> dict[str, Any]:
    """What kind of files a job writes, as the functions of `pictures` take it."""
    return {"format": job.format, "strip_metadata": job.strip_metadata}


def picture_of(record: data.Record) -> pictures.Picture:
    """The whole picture in a record of `as_pictures`."""
    picture: Any = record.image  # see `as_pictures`
    return picture


def _rounded(
    made: np.ndarray, original: np.ndarray, eps: float, top: int
) -> np.ndarray:
    """The levels of a picture within eps of the original, some rows at a time."""
    return np.concatenate(
        [
            data.quantize(
                made[at : at + _ROWS],
                original[at : at + _ROWS],
                eps=eps,
                norm="linf",
                top=top,
            )
            for at in range(0, len(made), _ROWS)
        ]
    )


def _checked(
    guide: Guide, made: Made, original: np.ndarray, written: np.ndarray
) -> dict[str, int]:
    """What an attacker could do before, and can do to the file."""
    eps = radius_of(ATTACK_EPS, "linf")
    attack = attacks.resolve_attack(ATTACK, eps=eps, norm="linf")
    before, after = (
        held(
            *(made.key, guide.predict, attack, data.as_float(levels), made.label),
            eps=eps,
            size=guide.size,
        )
        for levels in (original, written)
    )
    robust = {"robust_before": before.robust, "robust_after": after.robust}
    return robust | {"views": VIEWS}
