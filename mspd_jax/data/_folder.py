"""`folder:PATH`: a run folder, class folders, flat `00042_7.png` files, or photos.

Which of the four it is follows from what is there:

1. a run folder (protect or revert wrote it): the files, indices, labels and names of
   its records.
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
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mspd_jax import runs
from mspd_jax.data._digest import digest, file_digest, file_prints
from mspd_jax.data._image import IMAGE_SUFFIXES, header_shape, read_image
from mspd_jax.data._name_index import name_indices
from mspd_jax.data._record import Record, Source, if_readable, output_name
from mspd_jax.data._run_folder import (
    Entry,
    check_finished,
    read_run_folder,
    recorded_classes,
)
from mspd_jax.errors import InputError

# Phones name photos 20240131_123456.jpg: more digits than an index and a label have.
_FLAT = re.compile(r"(\d{5,7})_(\d{1,5})")


class _Listing(NamedTuple):
    """Images of a folder in the order in which a limit takes them, and the classes."""

    entries: list[Entry]
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None


def open_folder(spec: str, rest: str, *, limit: int | None) -> Source:
    """Source of the images of a folder; see the module for the four layouts."""
    root = pathlib.Path(rest).expanduser()
    if not root.is_dir():
        problem = "is a file" if root.exists() else "does not exist"
        raise InputError(
            f"source {spec!r}: {root} {problem}, wanted a folder of images"
        )
    try:
        listing = _list_folder(spec, root)
    except OSError as error:
        raise InputError(f"source {spec!r}: cannot list {root} ({error})") from error
    _check_names(spec, listing.entries)
    entries = sorted(listing.entries[:limit])
    labels = [label for _, label, _, _ in listing.entries]
    shapes = [if_readable(header_shape, path, path) for _, _, path, _ in entries]
    known = set(shapes) - {None}

    def read(position: int) -> Record:
        index, label, path, name = entries[position]
        return Record(index, read_image(path), label, name)

    def digest_of(position: int) -> str | None:
        _, label, path, name = entries[position]
        return file_digest(path, name, label)

    def fingerprint_of(positions: Sequence[int]) -> str:
        chosen = [entries[position] for position in positions]
        prints = file_prints([path for _, _, path, _ in chosen])
        both = zip(chosen, prints, strict=True)
        return digest(*(f"{i} {label} {name} {p}" for (i, label, _, name), p in both))

    return Source(
        spec=spec,
        indices=np.array([index for index, _, _, _ in entries], np.int64),
        image_shape=known.pop() if len(known) == 1 else None,
        num_classes=listing.num_classes,
        max_label=max(labels),
        class_names=listing.class_names,
        labelled=max(labels) >= 0,
        read=read,
        shape_of=shapes.__getitem__,
        files=tuple(str(path) for _, _, path, _ in entries),
        digest_of=digest_of,
        fingerprint_of=fingerprint_of,
    )


def _list_folder(spec: str, root: pathlib.Path) -> _Listing:
    if runs.is_run_folder(root):
        return _Listing(read_run_folder(spec, root), recorded_classes(root))
    above = root.resolve().parent
    if root.resolve().name == "images" and runs.is_run_folder(above):
        check_finished(spec, above)  # the images of a run, without its records
    children = sorted(p for p in root.iterdir() if not p.name.startswith("."))
    images = [p for p in children if p.is_file() and _is_image(p)]
    folders = [p for p in children if p.is_dir()]
    inside = {folder: _walk(folder) for folder in folders}
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


def _list_classes(
    root: pathlib.Path, inside: dict[pathlib.Path, list[pathlib.Path]]
) -> _Listing:
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


def _list_files(spec: str, images: list[pathlib.Path]) -> _Listing:
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


def _indexed(images: list[tuple[pathlib.Path, int]], names: list[str]) -> list[Entry]:
    """Entries of (path, label), whose index follows from the name."""
    found = zip(name_indices(names), images, names, strict=True)
    return [(index, label, path, name) for index, (path, label), name in found]


def _check_names(spec: str, entries: list[Entry]) -> None:
    paths: dict[str, pathlib.Path] = {}
    for _, _, path, name in entries:
        if name in paths:
            raise InputError(
                f"source {spec!r}: {paths[name]} and {path} would both be written as "
                f"{name}; rename or remove one"
            )
        paths[name] = path


def _walk(folder: pathlib.Path) -> list[pathlib.Path]:
    found: list[pathlib.Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [pathlib.Path(parent, name) for name in files if name[0] != "."]
        found += [path for path in paths if _is_image(path)]
    return sorted(found)


def _is_image(path: pathlib.Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
