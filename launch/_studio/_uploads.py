"""What was uploaded: which of it is taken, under which names."""

import math
import os
import pathlib
import shutil
import stat
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mspd_jax import pictures
from mspd_jax.errors import InputError

_LONGEST = 100  # characters of a name


class Limits(NamedTuple):
    """files: most pictures of one request. megabytes: most of each."""

    files: int
    megabytes: int


class Refused(NamedTuple):
    """name: of a file. reason: why it is not protected, in one line."""

    name: str
    reason: str


class Taken(NamedTuple):
    """files: copies, each under a name of its own. refused: all others."""

    files: tuple[pathlib.Path, ...]
    refused: tuple[Refused, ...]


def take(
    paths: Sequence[str], folder: pathlib.Path, uploads: pathlib.Path, limits: Limits
) -> Taken:
    """Copies what was uploaded, and can be a picture, into a folder.

    uploads: out of which no path may lead. Raises InputError for too many files.
    """
    if len(paths) > limits.files:
        raise InputError(
            f"{len(paths)} pictures are more than the {limits.files} that are "
            "protected at once; drop fewer"
        )
    files: list[pathlib.Path] = []
    refused = []
    for text in paths:
        path = pathlib.Path(text)
        reason = _reason(path, uploads, limits)
        if reason is None:
            name = _own_name(path.name, {file.name for file in files})
            shutil.copyfile(path, folder / name)
            reason = _no_picture(folder / name)
            files += [] if reason else [folder / name]
        if reason is not None:
            refused.append(Refused(pictures.shown(path.name), reason))
    return Taken(tuple(files), tuple(refused))


def _reason(path: pathlib.Path, uploads: pathlib.Path, limits: Limits) -> str | None:
    try:
        inside = path.resolve(strict=True).is_relative_to(uploads.resolve())
        status = os.lstat(path)
    except (OSError, RuntimeError, ValueError):
        return "is not there any more; drop it again"
    if not inside or not stat.S_ISREG(status.st_mode):
        return "was not uploaded"
    size = status.st_size / 1e6
    if size > limits.megabytes:
        said = f"{math.ceil(10 * size) / 10:g}"  # never that which may be
        return f"has {said} megabytes, more than the {limits.megabytes} that may be"
    return None


def _no_picture(path: pathlib.Path) -> str | None:
    skipped = pictures.list_pictures(path).skipped
    return skipped[0][1] if skipped else None


def _own_name(name: str, taken: Iterable[str]) -> str:
    """A name that is no one else's, also where capital letters do not count."""
    path = pathlib.PurePath(name.lstrip(".") or "picture")
    stem, keys = path.stem[:_LONGEST], {other.casefold() for other in taken}
    free, number = stem + path.suffix, 1
    while free.casefold() in keys:
        number += 1
        free = f"{stem} ({number}){path.suffix}"
    return free
