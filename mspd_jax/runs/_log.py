"""Files of JSON lines that a kill cannot spoil.

Each process of a cluster appends to a file of its own; whoever reads sees all of them.
Lines are written batch by batch and forced to disk, and a line that was cut off in the
middle is dropped when the file is opened again.

In a store nothing can be appended to: there a log NAME is a folder NAME.parts, in which
each write leaves a part, whole or not at all, numbered by the nanosecond and the
process. `close_log` makes one file of them.
"""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mspd_jax import paths
from mspd_jax.errors import StoreError

_Value = TypeVar("_Value")


def open_log(
    folder: pathlib.PurePath,
    name: str,
    *,
    process_index: int = 0,
    process_count: int = 1,
) -> pathlib.PurePath:
    """What `append_log` writes the entries of this process to.

    On the disk a file, whose last line is whole; in a store what its parts are named
    after.
    """
    process = f"{process_index:05d}-of-{process_count:05d}"
    if paths.is_store(folder):
        return folder / f"{name}.parts" / f"{process}.jsonl"
    part = f"-{process}" if process_count > 1 else ""
    file = pathlib.Path(folder, f"{name}{part}.jsonl")
    _cut_torn_line(file)
    return file


def append_log(log: pathlib.PurePath, entries: Iterable[dict]) -> None:
    """Writes entries at once and through to the disk, or as a part into a store."""
    text = json_lines(entries)
    if not text:
        return
    if paths.is_store(log):
        part = log.with_name(f"{time.time_ns():020d}-{log.name}")
        paths.write_object(part, text.encode())
        return
    with open(log, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_log(folder: pathlib.PurePath, name: str) -> Iterator[dict]:
    """The entries of all processes; torn lines and lines of something else left out."""
    yield from entries_of(log_lines(folder, name))


def log_lines(folder: pathlib.PurePath, name: str) -> Iterator[str]:
    """The lines of all processes, the last of a file perhaps torn."""
    if paths.is_store(folder):
        yield from read_files(folder, name, lambda files: list(lines_of(files)))
    else:
        yield from lines_of(log_files(folder, name))


def read_files(
    folder: pathlib.PurePath,
    name: str,
    read: Callable[[list[pathlib.PurePath]], _Value],
) -> _Value:
    """What a function reads from the files of a log.

    In a store, another process may be putting the parts together meanwhile: then they
    are listed again.
    """
    for _ in range(2 if paths.is_store(folder) else 0):
        with contextlib.suppress(FileNotFoundError):
            return read(log_files(folder, name))
    try:
        return read(log_files(folder, name))
    except FileNotFoundError as error:
        raise StoreError(
            f"the parts of {name} in {folder} vanish while they are read"
        ) from error


def lines_of(files: list[pathlib.PurePath]) -> Iterator[str]:
    """The lines of the files of a log."""
    if files and paths.is_store(files[0]):
        for text in paths.each(paths.read_text, files):
            yield from text.splitlines(keepends=True)
        return
    for path in files:
        with open(path, encoding="utf-8") as file:
            yield from file


def entries_of(lines: Iterable[str]) -> Iterator[dict]:
    """The entries that stand in lines; torn ones and others left out."""
    for line in lines:
        entry = _parsed(line)
        if entry is not None:
            yield entry


def close_log(folder: pathlib.PurePath, name: str) -> None:
    """Puts the parts of a log in a store into one file; on the disk it is one."""
    if not paths.is_store(folder):
        return
    files = log_files(folder, name)
    whole = folder / f"{name}.jsonl"
    if files and files != [whole]:
        # A kill between the two leaves each entry twice: readers look at the index.
        paths.write_object(whole, "".join(lines_of(files)).encode())
        paths.remove(file for file in files if file != whole)


def json_lines(entries: Iterable[dict]) -> str:
    """A line of JSON for each entry."""
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def log_files(folder: pathlib.PurePath, name: str) -> list[pathlib.PurePath]:
    """The files that the log is made of."""
    if paths.is_store(folder):
        whole = folder / f"{name}.jsonl"
        parts = list(paths.files_below(folder / f"{name}.parts"))
        return ([whole] if paths.is_file(whole) else []) + parts
    local = pathlib.Path(folder)
    return [
        *sorted(local.glob(f"{name}.jsonl")),
        *sorted(local.glob(f"{name}-*.jsonl")),
    ]


def log_of(name: str) -> str | None:
    """The log that an object of this name in a run folder is a part of, if any."""
    top, _, below = name.partition("/")
    suffix = ".parts" if below else ".jsonl"
    return top.removesuffix(suffix) if top.endswith(suffix) else None


def _parsed(line: str) -> dict | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "index" in entry else None


def _cut_torn_line(path: pathlib.Path) -> None:
    """Drops a last line without its end, which a kill in mid-write leaves behind."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
