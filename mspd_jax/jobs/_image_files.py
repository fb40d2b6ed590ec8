"""How the images that a run makes come to the disk."""

import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mspd_jax import data, paths, runs

_PARTS = "images.parts"  # the folder of what flushes have left


class ImageFiles(NamedTuple):
    """Where the images of a run go, in one of several formats.

    add: (image of the source, levels uint8 [H, W, C]) -> the name of its file below the
      folder, None where it has none of its own. The file holds these levels, no others.
      Called in a thread of its own.
    flush: puts what `add` took where it survives; called before the records of these
      data-set indices are written.
    finish: makes of what was flushed what the run leaves, of the images of these
      indices, which have a record; by one process, when all have finished.
    """

    add: Callable[[data.Record, np.ndarray], str | None]
    flush: Callable[[list[int]], None] = lambda indices: None
    finish: Callable[[np.ndarray], None] = lambda indices: None


def png_files(folder: pathlib.PurePath) -> ImageFiles:
    """Each image a file, in `images`, as the source names it."""

    def add(record: data.Record, levels: np.ndarray) -> str:
        file = f"images/{record.name}"
        data.write_png(folder / file, levels)
        return file

    return ImageFiles(add)


def arrayrecord_files(
    folder: pathlib.PurePath, source: data.Source, *, process: int
) -> ImageFiles:
    """All images in a few large files, in `images`, a data set of TFDS.

    An ArrayRecord is readable when it has been closed, so each flush leaves one of its
    own, whole or not at all. In the end they become shards that depend on the images
    alone. A kill may leave images without a record: they come again, or are left out.
    process: number of this process, by which its parts are called.
    """
    parts = folder / _PARTS
    waiting: dict[int, data.Row] = {}  # between `add` and `flush`

    def add(record: data.Record, levels: np.ndarray) -> None:
        waiting[record.index] = data.Row(
            record.index, record.label, record.name, levels
        )

    def flush(indices: list[int]) -> None:
        rows = [waiting.pop(index) for index in indices]
        if rows:
            name = f"{time.time_ns():020d}-{process:05d}.array_record"
            data.write_part(parts / name, rows)

    def finish(indices: np.ndarray) -> None:
        left = list(paths.children(parts)) if paths.is_dir(parts) else []
        # A name with a dot is what a kill left of a part that was being written.
        files = [file for file in left if not file.name.startswith(".")]
        if files and len(indices):
            data.merge_parts(
                files,
                folder / "images",
                only=indices,
                num_classes=source.num_classes,
                class_names=source.class_names,
            )
        paths.remove(left)
        if left and not paths.is_store(parts):
            pathlib.Path(parts).rmdir()

    return ImageFiles(add, flush, finish)


def gathered_name(form: str | None) -> Callable[[int, str], str | None]:
    """How the files of a part of a run are called in the whole, for `runs.gather_run`.

    Shards of a data set become parts of another, of which `finish` makes one.
    """
    if form != "arrayrecord":
        return runs.same_name

    def named(number: int, name: str) -> str | None:
        folder, _, file = name.rpartition("/")
        if folder != "images":
            return name
        return f"{_PARTS}/{number:020d}-{file}" if ".array_record" in file else None

    return named


def image_files(
    form: str, folder: pathlib.PurePath, source: data.Source, *, process: int
) -> ImageFiles:
    """Where the images of a run go, by the format that its job names."""
    if form == "arrayrecord":
        return arrayrecord_files(folder, source, process=process)
    return png_files(folder)
