"""`folder:PATH`: a run folder, class folders, flat `00042_7.png` files, or photos.

Which of the four it is follows from what is there:

1. a run folder (protect or revert wrote it): the files, indices, labels and names of
   its records; where its images are a data set, the same as `arrayrecord:`.
2. images in sub-folders: one class each. If all sub-folders are named by integers the
   label is that integer (and the number of classes unknown), otherwise the classes
   count through in the order of their names.
3. images named INDEX_LABEL, such as `00042_7.png` (5 to 7 digits, 1 to 5 digits).
4. other images: unlabeled photos.

The index of photos and in class folders follows from the name (`name_indices`), so that
no file shifts the index of another. A limit takes the first in the order of their
names, of the other two kinds the first in the order of the index. Hidden files and
files without an image suffix are passed over. At opening only headers are read; what
cannot be read surfaces at `Source.read`.
"""

import itertools
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from mspd_jax import paths, runs
from mspd_jax.data._arrayrecord import data_set_in, open_arrayrecord
from mspd_jax.data._files import FileKind, file_source
from mspd_jax.data._image import IMAGE_SUFFIXES, header_shape, read_levels
from mspd_jax.data._name_index import name_indices
from mspd_jax.data._record import Source, as_float, output_name
from mspd_jax.data._run_folder import (
    Entry,
    check_finished,
    read_run_folder,
    recorded_classes,
)
from mspd_jax.errors import InputError

# Phones name photos 20240131_123456.jpg: more digits than an index and a label have.
_FLAT = re.compile(r"(\d{5,7})_(\d{1,5})")
# Images by the folder that is their class.
_Folders = dict[pathlib.PurePath, list[pathlib.PurePath]]


class _Listing(NamedTuple):
    """Images of a folder in the order in which a limit takes them, and the classes."""

    entries: list[Entry]
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None


def open_folder(spec: str, rest: str, *, limit: int | None) -> Source:
    """Source of the images of a folder; see the module for the four layouts."""
    root = paths.as_path(os.path.expanduser(rest))
    if not paths.is_dir(root):
        problem = "is a file" if paths.exists(root) else "does not exist"
        raise InputError(
            f"source {spec!r}: {root} {problem}, wanted a folder of images"
        )
    if data_set_in(root) is not None:
        return open_arrayrecord(spec, rest, limit=limit)
    try:
        listing = _list_folder(spec, root)
    except OSError as error:
        raise InputError(f"source {spec!r}: cannot list {root} ({error})") from error
    _check_names(spec, listing.entries)
    return file_source(
        spec,
        listing.entries[:limit],
        FileKind(_read, header_shape),
        max_label=max(label for _, label, _, _ in listing.entries),
        num_classes=listing.num_classes,
        class_names=listing.class_names,
    )


def _read(file: str | os.PathLike | bytes, path: pathlib.PurePath) -> np.ndarray:
    return as_float(read_levels(file, path))


def _list_folder(spec: str, root: pathlib.PurePath) -> _Listing:
    if runs.is_run_folder(root):
        return _Listing(read_run_folder(spec, root), recorded_classes(root))
    above = paths.resolved(root).parent
    if paths.resolved(root).name == "images" and runs.is_run_folder(above):
        check_finished(spec, above)  # the images of a run, without its records
    images, inside = _inside(root)
    nested = [path for paths in inside.values() for path in paths]
    if images and nested:
        raise InputError(
            f"source {spec!r}: {root} holds images ({images[0].name}) as well as "
            f"folders of images ({nested[0].relative_to(root)}); give one or the other"
        )
    if nested:
        return _list_classes(root, inside)
    if not images:
        raise InputError(
            f"source {spec!r}: no images in {root}; wanted files ending in "
            f"{' '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return _list_files(spec, images)


def _list_classes(root: pathlib.PurePath, inside: _Folders) -> _Listing:
    classes = [folder.name for folder in inside]
    numbered = all(re.fullmatch(r"\d{1,5}", name) for name in classes)
    images = sorted(
        (path, int(folder.name) if numbered else place)
        for place, folder in enumerate(inside)
        for path in inside[folder]
    )
    names = [
        path.relative_to(root).with_suffix(".png").as_posix() for path, _ in images
    ]
    entries = _indexed(images, names)
    if numbered:
        return _Listing(entries)
    return _Listing(entries, len(classes), tuple(classes))


def _list_files(spec: str, images: list[pathlib.PurePath]) -> _Listing:
    matches = [_FLAT.fullmatch(path.stem) for path in images]
    if not any(matches):
        names = [f"{path.stem}.png" for path in images]
        return _Listing(_indexed([(path, -1) for path in images], names))
    if not all(matches):
        odd = images[matches.index(None)].name
        flat = next(p.name for p, match in zip(images, matches, strict=True) if match)
        raise InputError(
            f"source {spec!r}: {flat} is named INDEX_LABEL but {odd} is not; put "
            "labelled images and photos into separate folders"
        )
    entries = sorted(
        (int(match[1]), int(match[2]), path, output_name(int(match[1]), int(match[2])))
        for path, match in zip(images, matches, strict=True)
        if match
    )
    for (index, _, one, _), (following, _, other, _) in itertools.pairwise(entries):
        if index == following:
            raise InputError(
                f"source {spec!r}: {one.name} and {other.name} have the same index; "
                "remove one"
            )
    return _Listing(entries)


def _indexed(
    images: list[tuple[pathlib.PurePath, int]], names: list[str]
) -> list[Entry]:
    """Entries of (path, label), whose index follows from the name."""
    found = zip(name_indices(names), images, names, strict=True)
    return [(index, label, path, name) for index, (path, label), name in found]


def _check_names(spec: str, entries: list[Entry]) -> None:
    taken: dict[str, pathlib.PurePath] = {}
    for _, _, path, name in entries:
        if name in taken:
            raise InputError(
                f"source {spec!r}: {taken[name]} and {path} would both be written as "
                f"{name}; rename or remove one"
            )
        taken[name] = path


def _inside(root: pathlib.PurePath) -> tuple[list[pathlib.PurePath], _Folders]:
    """The images in a folder, and those anywhere below each folder in it."""
    if paths.is_store(root):
        return _inside_store(root)
    local = pathlib.Path(root)
    children = sorted(p for p in local.iterdir() if not p.name.startswith("."))
    images: list[pathlib.PurePath] = [
        p for p in children if p.is_file() and _is_image(p)
    ]
    return images, {p: _walk(p) for p in children if p.is_dir()}


def _inside_store(root: pathlib.PurePath) -> tuple[list[pathlib.PurePath], _Folders]:
    images: list[pathlib.PurePath] = []
    inside: _Folders = {}
    for path in sorted(paths.files_below(root)):
        top, *rest = path.relative_to(root).parts
        if any(part.startswith(".") for part in (top, *rest)):
            continue
        place = inside.setdefault(root / top, []) if rest else images
        if _is_image(path):
            place.append(path)
    return images, inside


def _walk(folder: pathlib.Path) -> list[pathlib.PurePath]:
    found: list[pathlib.PurePath] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [pathlib.Path(parent, name) for name in files if name[0] != "."]
        found += [path for path in shown if _is_image(path)]
    return sorted(found)


def _is_image(path: pathlib.PurePath) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
