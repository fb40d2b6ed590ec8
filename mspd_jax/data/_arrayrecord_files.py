"""ArrayRecord files, on the disk or in a store: written whole or not at all, and read.

array_record knows files of the disk alone, and has no errors of its own: what it raises
for a damaged file is a RuntimeError.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mspd_jax import runs

# What array_record raises for a file or a record that cannot be read.
UNREADABLE = (RuntimeError, ValueError, IndexError, OSError)

_BLOCK = 2**24  # bytes that are read at once of a file that is read to its end


def write_records(
    path: pathlib.PurePath, records: Iterable[bytes], options: str
) -> int:
    """Writes records as an ArrayRecord file; returns how many bytes they have."""
    size = 0
    with runs.whole_file(path, through=True) as file:
        writer = _module().ArrayRecordWriter(file, options)
        try:
            for record in records:
                writer.write(record)
                size += len(record)
            writer.close()
        except RuntimeError as error:
            raise OSError(f"cannot write {path} ({error})") from error
    return size


def open_records(path: pathlib.Path) -> Any:
    """A reader of any record of a file, which several threads may share."""
    # As the data source of array_record opens files that it reads at random.
    reader = _module().ArrayRecordReader(
        os.fspath(path),
        "readahead_buffer_size:0,max_parallelism:0",
        file_reader_buffer_size=32768,
    )
    if not reader.ok():
        raise OSError("it is cut off, or no ArrayRecord file")
    return reader


def read_record(reader: Any, place: int) -> bytes:
    """A record by its number in the file; one of UNREADABLE where it is damaged."""
    # Of a list of places, array_record goes through the table of all records.
    return reader.read(place, place + 1)[0]


def read_through(path: pathlib.Path) -> Iterator[bytes]:
    """All records of a file, one after the other."""
    reader = _reader(path)
    count = reader.num_records()
    step = max(1, _BLOCK * count // max(1, path.stat().st_size))
    for start in range(0, count, step):
        yield from reader.read(start, min(count, start + step))
    reader.close()


def read_some(path: pathlib.Path, places: Sequence[int]) -> list[bytes]:
    """The records of a file at these places, at once."""
    reader = _reader(path)
    found = reader.read(list(places))
    reader.close()
    return found


def _reader(path: pathlib.Path) -> Any:
    """A reader of many records at once."""
    reader = _module().ArrayRecordReader(os.fspath(path))
    if not reader.ok():
        raise OSError("it is cut off, or no ArrayRecord file")
    return reader


def _module() -> Any:
    from array_record.python import array_record_module

    return array_record_module
