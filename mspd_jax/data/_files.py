"""A source over image files, one image each, wherever they lie."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mspd_jax import paths
from mspd_jax.data._digest import digest, file_digest, file_prints
from mspd_jax.data._image import image_bytes
from mspd_jax.data._record import Record, Source, if_readable
from mspd_jax.data._run_folder import Entry

# A file of the disk by its path, one of a store by its content.
_File = str | os.PathLike | bytes


class FileKind(NamedTuple):
    """How the files of a source are read; both are called as f(file, name).

    Attributes:
      read: gives float32 [H, W, C] in [0, 1]; InputError names an unreadable file.
      shape: gives (H, W, C) from the header; InputError likewise.
    """

    read: Callable[[_File, pathlib.PurePath], np.ndarray]
    shape: Callable[[_File, pathlib.PurePath], tuple[int, int, int]]


def file_source(
    spec: str,
    entries: Sequence[Entry],
    kind: FileKind,
    *,
    max_label: int = -1,
    num_classes: int | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Source:
    """Source of the files of some entries (index, label, path, name for outputs).

    At opening only headers are read; what cannot be read surfaces at `Source.read`.
    """
    entries = sorted(entries)

    def shape(path: pathlib.PurePath) -> tuple[int, int, int] | None:
        try:
            file = paths.read_bytes(path) if paths.is_store(path) else os.fspath(path)
        except OSError:
            return None
        return if_readable(kind.shape, file, path)

    shapes = list(paths.each(shape, [path for _, _, path, _ in entries]))
    known = set(shapes) - {None}
    seen: dict[int, str] = {}  # digests, so that an object is fetched once

    def read(position: int) -> Record:
        index, label, path, name = entries[position]
        if not paths.is_store(path):
            return Record(index, kind.read(path, path), label, name)
        content = image_bytes(path)
        seen[position] = digest(name, label, content)
        return Record(index, kind.read(content, path), label, name)

    def digest_of(position: int) -> str | None:
        _, label, path, name = entries[position]
        return seen.pop(position, None) or file_digest(path, name, label)

    def fingerprint_of(positions: Sequence[int]) -> str:
        chosen = [entries[position] for position in positions]
        prints = file_prints([path for _, _, path, _ in chosen])
        both = zip(chosen, prints, strict=True)
        return digest(*(f"{i} {label} {name} {p}" for (i, label, _, name), p in both))

    return Source(
        spec=spec,
        indices=np.array([index for index, _, _, _ in entries], np.int64),
        image_shape=known.pop() if len(known) == 1 else None,
        num_classes=num_classes,
        max_label=max_label,
        class_names=class_names,
        labelled=max_label >= 0,
        read=read,
        shape_of=shapes.__getitem__,
        files=tuple(str(path) for _, _, path, _ in entries),
        digest_of=digest_of,
        fingerprint_of=fingerprint_of,
    )
