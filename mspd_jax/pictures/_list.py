"""The pictures that a file, a pattern or a folder names, and what is passed over.

Folders are gone through to the bottom. Hidden files and folders are no one's business;
everything else is either a picture or skipped for a reason. No link leads out of the
folder, none is followed into another folder, and what is no file is never opened. What
a run wrote is no one's original: its folder is passed over, too.
"""

import fnmatch
import os
import pathlib
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.pictures._earlier import wrote_in
from mspd_jax.pictures._file import first_bytes, shown, what_else
from mspd_jax.pictures._formats import format_of
from mspd_jax.pictures._kind import HEAD, RAW_SUFFIXES, SUFFIXES, kind_of
from mspd_jax.pictures._names import output_names
from mspd_jax.runs import is_run_folder

_Found = Iterable[tuple[pathlib.PurePath, str | None]]  # a reason, or None: a picture


class Listing(NamedTuple):
    """What was found, each in the order of the names.

    Attributes:
      files: (path, name) of each picture; the name is that of its output, relative,
        with `/`, with the suffix of the format that is written.
      skipped: (path, reason) of each entry that is no picture, or must not be read.
    """

    files: tuple[tuple[pathlib.PurePath, str], ...]
    skipped: tuple[tuple[pathlib.PurePath, str], ...]


def list_pictures(
    place: str | os.PathLike,
    *,
    format: str = "png",
    out: str | os.PathLike | None = None,
) -> Listing:
    """The pictures in a place, which may be damaged: that is seen as they are read.

    A picture is known by its suffix or by its first bytes, in a store by its suffix.

    Args:
      place: a file, a folder, which is listed with all folders in it, or a pattern as
        of a shell, `photos/*.jpg`, where `**` is any number of folders. What exists by
        this name is meant, also where there are brackets in it.
      format: that is written, for the names of outputs: png, jpeg or webp.
      out: the folder that will be written into. It is passed over in silence, and must
        not be the one that is listed, nor one around it. What was written there keeps
        its name, whatever has come since that would have the same.

    Example:
      listing = pictures.list_pictures("photos/**/*.jpg")
    """
    suffix = format_of(format).suffix
    path = paths.as_path(os.path.expanduser(os.fspath(place)))
    besides = _on_disk(out)
    try:
        root, pattern = _parted(path)
        if paths.is_dir(root):
            found = _in_folder(root, pattern, besides)
        else:
            root, found = root.parent, [(root, _reason(root, inside=None))]
        _check_apart(root, besides)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot list {shown(path)} ({error})") from error
    found = sorted(found, key=lambda each: each[0].relative_to(root).parts)
    files = [each for each, reason in found if reason is None]
    wrote = wrote_in(out)
    names = output_names(
        [each.relative_to(root) for each in files],
        suffix,
        lambda place, name: wrote(files[place], name),
    )
    skipped = tuple((each, reason) for each, reason in found if reason is not None)
    return Listing(tuple(zip(files, names, strict=True)), skipped)


def _parted(path: pathlib.PurePath) -> tuple[pathlib.PurePath, tuple[str, ...]]:
    """What exists of a path, and the pattern behind it."""
    if paths.exists(path) or os.path.lexists(path):
        return path, ()
    root = next((each for each in path.parents if paths.is_dir(each)), path)
    pattern = path.relative_to(root).parts
    if not pattern or not any(sign in pattern[0] for sign in "*?["):
        raise InputError(
            f"{shown(path)} does not exist; wanted a picture, a folder of them, or a "
            "pattern such as photos/*.jpg"
        )
    return root, pattern


def _on_disk(out: str | os.PathLike | None) -> pathlib.Path | None:
    """A folder without links; None for one of a store, where no originals are."""
    path = None if out is None else paths.as_path(out)
    if path is None or paths.is_store(path):
        return None
    return pathlib.Path(path).resolve()


def _check_apart(root: pathlib.PurePath, besides: pathlib.Path | None) -> None:
    """Originals and results must not meet under the same names."""
    if besides is None or paths.is_store(root):
        return
    if pathlib.Path(root).resolve().is_relative_to(besides):
        raise InputError(
            f"`out`={shown(besides)} holds the originals; wanted a folder of its own"
        )


def _in_folder(
    root: pathlib.PurePath, pattern: tuple[str, ...], besides: pathlib.Path | None
) -> _Found:
    if paths.is_store(root):
        found = _in_store(root)
    else:
        # Without ** a pattern reaches as deep as it is long.
        depth = len(pattern) if pattern and "**" not in pattern else None
        found = _walk(pathlib.Path(root), depth, besides)
    if not pattern:
        return list(found)
    return [each for each in found if _fits(each[0].relative_to(root).parts, pattern)]


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[n:], pattern[1:]) for n in range(len(parts) + 1))
    first = bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0])
    return first and _fits(parts[1:], pattern[1:])


def _in_store(root: pathlib.PurePath) -> _Found:
    for path in paths.files_below(root):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield path, _reason_by_name(path)


def _walk(
    root: pathlib.Path, depth: int | None, besides: pathlib.Path | None
) -> Iterator[tuple]:
    inside, waiting = root.resolve(), [(root, 1)]
    while waiting:
        folder, level = waiting.pop()
        try:
            names = os.listdir(folder)
        except OSError as error:
            if folder == root:
                raise
            yield folder, f"cannot be listed ({error.strerror})"
            continue
        for path in (folder / name for name in names if not name.startswith(".")):
            if not path.is_symlink() and path.is_dir():
                if besides is not None and path.resolve() == besides:
                    continue
                if is_run_folder(path):
                    yield path, "is the folder of a run, whose pictures are done"
                    continue
                waiting += [(path, level + 1)] if depth is None or level < depth else []
            else:
                yield path, _reason(path, inside)


def _reason(path: pathlib.PurePath, inside: pathlib.Path | None) -> str | None:
    """Why an entry of a folder is not read; None for a picture.

    inside: the folder, without links, out of which none may lead.
    """
    if paths.is_store(path):
        return _reason_by_name(path)
    path = pathlib.Path(path)
    try:
        if inside is not None and path.is_symlink():
            if not path.resolve(strict=True).is_relative_to(inside):
                return "is a link that leads out of the folder"
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "is a link to a folder"
        if what_else(mode) is not None:
            return f"is {what_else(mode)}"
        if path.suffix.lower() in SUFFIXES | RAW_SUFFIXES:
            return _reason_by_name(path)
        kind = kind_of(first_bytes(path, HEAD))
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    # Notes may begin with "P1 ": a PPM is known by its suffix.
    return _reason_by_name(path) if kind in (None, "PPM") else None


def _reason_by_name(path: pathlib.PurePath) -> str | None:
    suffix = path.suffix.lower()
    if suffix in RAW_SUFFIXES:
        return f"is a raw photograph ({suffix}); give the developed one"
    return None if suffix in SUFFIXES else "is no picture"
