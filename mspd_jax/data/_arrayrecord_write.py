"""The images of a run as a data set of TFDS: parts as they come, shards at the end.

Whoever writes images writes a part per batch, in any order and from any process. When
all are there the parts are put together: rows in the order of their index, cut into
shards by a rule that looks at the rows alone, so that neither batches nor kills nor
processes show in a single byte.
"""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from mspd_jax import paths
from mspd_jax.data._arrayrecord_files import (
    UNREADABLE,
    read_some,
    read_through,
    write_records,
)
from mspd_jax.data._arrayrecord_layout import (
    Layout,
    has_data_set,
    read_layout,
    shard_name,
    shards_in,
    unmark,
    write_layout,
)
from mspd_jax.data._example import (
    ANY_SHAPE,
    ONE_SHAPE,
    Row,
    decode,
    decode_head,
    encode,
)
from mspd_jax.errors import InputError, first_line

# A part is read from its start to its end, once: large groups are quick to write.
_PART = "group_size:64,uncompressed"
# A shard is read at random: each record by itself, as Grain asks for. Not compressed:
# of photographs of 32x32, zstd:1 takes 7 % of the bytes away, 6 times as long to write
# (30 us against 5 us an image on one core) and 4 times as long to read (21 against 5).
_SHARD = "group_size:1,uncompressed"
# Bytes of pixels in a shard, which is also what merging keeps in memory.
_SHARD_SIZE = 10**8
# The shards of an earlier merging, while their rows go into new ones.
_OLD = ".before-"

_ROW = np.dtype(
    [
        ("index", "<i8"),
        ("label", "<i4"),
        ("shape", "<i4", 3),
        ("key", "S16"),
        ("part", "<i4"),
        ("place", "<i4"),
    ]
)


def write_part(path: str | os.PathLike, rows: Sequence[Row]) -> None:
    """Writes rows as an ArrayRecord file, all or nothing, through to the disk.

    path: of the disk, or of a store; its folder is made. Images may differ in size.
    """
    write_records(paths.as_path(path), map(encode, rows), _PART)


def merge_parts(
    parts: Sequence[str | os.PathLike],
    folder: str | os.PathLike,
    *,
    only: np.ndarray | None = None,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> int:
    """Puts parts together to the data set in a folder; returns how many rows it has.

    Of rows of one index the last counts, in the order of `parts`. What the folder holds
    already is added to: a run that goes on gives its new parts alone. A call that was
    killed is made good by the same call; parts may be removed when it has returned.
    One process calls it, when all have written.

    Args:
      parts: files that `write_part` wrote, or the shards of another data set.
      folder: where the data set is to be, on the disk or in a store.
      only: the indices of the rows that it is to have, all where it is None.
      num_classes: number of classes, where it is known.
      class_names: one name per class, where there are names.

    Raises:
      InputError: a part cannot be read, or there is not one row.
    """
    folder = paths.as_path(folder)
    given = [paths.as_path(part) for part in parts]
    if not given and has_data_set(folder):
        return sum(read_layout(str(folder), folder).lengths)
    unmark(folder)
    old = _set_aside(folder)
    with _at_hand([*old, *given]) as files:
        rows = _listed(files, [*old, *given], only)
        shape = _common_shape(rows["shape"])
        key = ANY_SHAPE if None in shape else ONE_SHAPE
        cuts = _cut(rows["shape"].astype(np.int64).prod(axis=1))
        num_bytes = 0
        for place, cut in enumerate(cuts):
            records = _gathered(files, rows[cut], key)
            name = shard_name(place, len(cuts))
            num_bytes += write_records(folder / name, records, _SHARD)
    if class_names is not None:
        num_classes = len(class_names)
    layout = Layout(
        lengths=tuple(cut.stop - cut.start for cut in cuts),
        shape=shape,
        num_classes=num_classes,
        class_names=None if class_names is None else tuple(class_names),
    )
    write_layout(
        folder,
        layout,
        num_bytes=num_bytes,
        indices=rows["index"],
        labels=rows["label"],
    )
    paths.remove(old)
    return len(rows)


def _set_aside(folder: pathlib.PurePath) -> list[pathlib.PurePath]:
    """The shards that a folder holds, under names that no new shard takes.

    Those that a killed merging left are no data set, but their rows are right.
    """
    if not paths.is_dir(folder):
        return []
    inside = [path.name for path in paths.children(folder)]
    partial = [name for name in inside if name.startswith(".images-")]
    paths.remove(folder / name for name in partial)
    old = sorted(name for name in inside if name.startswith(_OLD))
    number = int(old[-1].removeprefix(_OLD)) + 1 if old else 0
    for place, shard in enumerate(shards_in(folder), start=number):
        old.append(f"{_OLD}{place:05d}")
        _move(shard, folder / old[-1])
    return [folder / name for name in old]


def _move(path: pathlib.PurePath, new: pathlib.PurePath) -> None:
    if paths.is_store(path):
        with paths.local_file(path) as copy:
            paths.send_file(copy, new)
        paths.remove([path])
    else:
        os.replace(path, new)


@contextlib.contextmanager
def _at_hand(files: Sequence[pathlib.PurePath]) -> Iterator[list[pathlib.Path]]:
    """Files of the disk as they are, those of a store as copies for a while."""
    with tempfile.TemporaryDirectory(prefix="mspd_jax_") as copies:
        found = [pathlib.Path(file) for file in files]
        stored = [file.parent for file in files if paths.is_store(file)]
        for number, parent in enumerate(dict.fromkeys(stored)):
            copy = pathlib.Path(copies, str(number))
            places = [place for place, p in enumerate(files) if p.parent == parent]
            try:
                paths.fetch(parent, copy, {files[place].name for place in places})
            except FileNotFoundError as error:
                raise InputError(f"a part is missing in {parent} ({error})") from error
            for place in places:
                found[place] = copy / files[place].name
        yield found


def _listed(
    files: Sequence[pathlib.Path],
    parts: Sequence[pathlib.PurePath],
    only: np.ndarray | None,
) -> np.ndarray:
    """Index, label, shape and place of each row, by index, and each index once."""
    tables = []
    for number, (file, part) in enumerate(zip(files, parts, strict=True)):
        try:
            tables.append(_table(file, number))
        except UNREADABLE as error:
            raise InputError(
                f"cannot read the part {part} ({first_line(error)})"
            ) from error
    rows = np.concatenate([np.empty(0, _ROW), *tables])[::-1]
    if only is not None:
        rows = rows[np.isin(rows["index"], only)]
    if not len(rows):
        raise InputError(f"{len(files)} parts hold no images: there is no data set")
    # Reversed, as the first of an index is taken, and the last is to be.
    indices, first = np.unique(rows["index"], return_index=True)
    if indices[0] < 0 or indices[-1] >= 2**32:
        raise InputError(
            f"the parts hold indices from {indices[0]} to {indices[-1]}; wanted 0 to "
            f"{2**32 - 1}"
        )
    return rows[first]


def _table(file: pathlib.Path, part: int) -> np.ndarray:
    rows = [
        (*decode_head(record), part, place)
        for place, record in enumerate(read_through(file))
    ]
    return np.array(rows, _ROW)


def _common_shape(shapes: np.ndarray) -> tuple[int | None, int | None, int | None]:
    """Of all images; where they differ in size, neither height nor width is one."""
    (height, width, channels), same = shapes[0].tolist(), (shapes == shapes[0]).all(0)
    if same.all():
        return height, width, channels
    return None, None, channels if same[2] else None


def _cut(sizes: np.ndarray) -> list[slice]:
    """The rows of each shard: as many as its size has room for, but one at least."""
    ends, cuts, start = np.cumsum(sizes), [], 0
    while start < len(sizes):
        full = (ends[start - 1] if start else 0) + _SHARD_SIZE
        stop = max(start + 1, int(np.searchsorted(ends, full, side="right")))
        cuts.append(slice(start, stop))
        start = stop
    return cuts


def _gathered(
    files: Sequence[pathlib.Path], rows: np.ndarray, key: str
) -> Iterator[bytes]:
    """The records of these rows, in their order, with the image under a key."""
    found = [b""] * len(rows)
    order = np.argsort(rows["part"], kind="stable")
    borders = np.flatnonzero(np.diff(rows["part"][order])) + 1
    for places in np.split(order, borders):
        part = read_some(files[rows["part"][places[0]]], rows["place"][places].tolist())
        for place, record in zip(places.tolist(), part, strict=True):
            found[place] = record
    # As a rule the records are as they are to be.
    same = (rows["key"] == key.encode()).tolist()
    for fits, record in zip(same, found, strict=True):
        yield record if fits else encode(decode(record), key)
