"""`arrayrecord:PATH`: the images of a run that wrote them as a data set of TFDS.

PATH is the folder of the data set, or that of the run, which has it in `images/`.
Indices, labels and names are those of the records. Opening reads a table of 12 bytes an
image; of the images none is kept, and any may be read by any thread.
"""

import bisect
import functools
import importlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mspd_jax import paths, runs
from mspd_jax.data._arrayrecord_files import UNREADABLE, open_records, read_record
from mspd_jax.data._arrayrecord_layout import (
    Layout,
    foreign,
    has_data_set,
    read_layout,
    read_table,
    shard_name,
)
from mspd_jax.data._digest import array_digest, digest, file_prints
from mspd_jax.data._example import Row, decode
from mspd_jax.data._record import Record, Source, as_float, if_readable
from mspd_jax.data._run_folder import check_finished, is_safe_name, recorded_classes
from mspd_jax.data._tfds import copied_heads
from mspd_jax.errors import InputError, first_line

# The table of a shard takes some 2 MB of memory at 30,000 images.
_OPEN_SHARDS = 64


def data_set_in(root: pathlib.PurePath) -> pathlib.PurePath | None:
    """The data set of images that lies in a folder, or in its `images/`."""
    return next((f for f in (root, root / "images") if has_data_set(f)), None)


def open_arrayrecord(spec: str, rest: str, *, limit: int | None) -> Source:
    """Source of a data set of images that `merge_parts` wrote."""
    root = paths.as_path(os.path.expanduser(rest))
    run = _run_of(root)
    if run is not None:
        check_finished(spec, run)
    folder = data_set_in(root)
    if folder is None:
        problem = "it has no dataset_info.json with images-index.npy"
        if not paths.is_dir(root):
            problem = "there is no such folder"
        raise foreign(spec, root, problem)
    _check_packages(spec)
    layout = read_layout(spec, folder)
    indices, labels = read_table(spec, folder, layout)
    if run is not None:
        check_finished(spec, run, images=len(indices))
    num_classes = layout.num_classes
    if num_classes is None and run is not None:
        num_classes = recorded_classes(run)
    largest = int(labels.max())
    max_label = largest if num_classes is None else num_classes - 1
    starts = np.cumsum([0, *layout.lengths]).tolist()
    indices, labels = indices[:limit], labels[:limit]
    needed = bisect.bisect_left(starts, len(indices))
    # array_record wants files: of a store, those that are needed are copied, and are
    # there as long as the source is.
    copy = copied_heads(folder) if paths.is_store(folder) else None
    names = [shard_name(n, len(layout.lengths)) for n in range(needed)]
    if copy is not None:
        paths.fetch(folder, pathlib.Path(copy.name), names)
    at_hand = pathlib.Path(folder if copy is None else copy.name)
    files = [at_hand / name for name in names]
    reader_of = functools.lru_cache(_OPEN_SHARDS)(lambda n: open_records(files[n]))
    for shard, path in enumerate(files):
        _check_shard(spec, folder / path.name, reader_of, shard, layout)

    def unreadable(position: int, problem: str) -> InputError:
        return InputError(
            f"cannot read the image {indices[position]} of {spec} ({problem})"
        )

    def fetch(position: int, copy: Any = copy) -> Row:
        """The row at a position. The copy is removed when nobody holds it."""
        shard = bisect.bisect_right(starts, position) - 1
        try:
            row = decode(read_record(reader_of(shard), int(position - starts[shard])))
        except UNREADABLE as error:
            raise unreadable(position, first_line(error)) from error
        if (row.index, row.label) != (indices[position], labels[position]):
            found = f"there is the image {row.index} of class {row.label} in its place"
            raise unreadable(position, found)
        if not is_safe_name(row.name):
            raise unreadable(position, f"its name {row.name!r} leads elsewhere")
        return row

    def read(position: int) -> Record:
        index, label, name, levels = fetch(position)
        return Record(index, as_float(levels), label, name)

    def shape_of(position: int) -> tuple[int, int, int]:
        height, width, channels = fetch(position).levels.shape
        return height, width, channels

    def digest_of(position: int) -> str:
        _, label, name, levels = fetch(position)
        return digest(name, label, str(levels.shape), levels.tobytes())

    def fingerprint_of(positions: Sequence[int]) -> str:
        chosen = np.asarray(positions, np.int64)
        shards = np.unique(np.searchsorted(starts, chosen, side="right")) - 1
        prints = file_prints([files[shard] for shard in shards])
        return digest(*prints, array_digest(indices, chosen))

    fixed = None not in layout.shape
    return Source(
        spec=spec,
        indices=indices,
        image_shape=layout.shape if fixed else None,  # type: ignore[arg-type]
        num_classes=num_classes,
        max_label=max_label,
        class_names=layout.class_names,
        labelled=largest >= 0,
        read=read,
        shape_of=None if fixed else functools.partial(if_readable, shape_of),
        digest_of=functools.partial(if_readable, digest_of),
        fingerprint_of=fingerprint_of,
    )


def _run_of(root: pathlib.PurePath) -> pathlib.PurePath | None:
    """The folder of the run whose images are in this folder, or are this folder."""
    if runs.is_run_folder(root):
        return root
    whole = paths.resolved(root)
    run = whole.parent if whole.name == "images" else None
    return run if run is not None and runs.is_run_folder(run) else None


def _check_packages(spec: str) -> None:
    try:
        importlib.import_module("array_record.python.array_record_module")
        importlib.import_module("tensorflow_datasets.proto")
    except ImportError as error:
        raise InputError(
            f"source {spec!r} needs the packages array_record and tensorflow-datasets "
            f"({first_line(error)}); install them with: pip install array_record "
            "tensorflow-datasets importlib_resources"
        ) from error


def _check_shard(
    spec: str, path: pathlib.PurePath, reader_of: Any, shard: int, layout: Layout
) -> None:
    try:
        count = reader_of(shard).num_records()
    except UNREADABLE as error:
        problem = f"{path.name}: {first_line(error)}"
        raise foreign(spec, path.parent, problem) from error
    if count != layout.lengths[shard]:
        problem = f"{path.name} has {count} records, wanted {layout.lengths[shard]}"
        raise foreign(spec, path.parent, problem)
