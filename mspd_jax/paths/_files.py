"""Reading, listing and removing files, whether on the disk or in a store."""

import collections
import concurrent.futures
import io
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mspd_jax.paths import _store
from mspd_jax.paths._path import is_store

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")
# Requests to a store that are under way together: each waits for some 20 ms.
_AT_ONCE = 16


def exists(path: pathlib.PurePath) -> bool:
    """Whether there is a file or a folder of this name."""
    if is_store(path):
        return _store.kind(path) is not None
    return pathlib.Path(path).exists()


def is_file(path: pathlib.PurePath) -> bool:
    """Whether this is a file."""
    if is_store(path):
        return _store.kind(path) == "file"
    return pathlib.Path(path).is_file()


def is_dir(path: pathlib.PurePath) -> bool:
    """Whether this is a folder; one of a store is there while something lies in it."""
    if is_store(path):
        return _store.kind(path) == "directory"
    return pathlib.Path(path).is_dir()


def children(path: pathlib.PurePath) -> dict[pathlib.PurePath, bool]:
    """What lies in a folder, in the order of the names, and whether it is a folder."""
    if is_store(path):
        found = _store.listed(path)
        return {
            path / name: each["type"] == "directory" for name, each in found.items()
        }
    return {child: child.is_dir() for child in sorted(pathlib.Path(path).iterdir())}


def files_below(path: pathlib.PurePath) -> dict[pathlib.PurePath, str]:
    """The objects anywhere below a folder of a store, with what changes as they do."""
    found = _store.listed(path, deep=True)
    return {
        path / name: f"{each['size']} bytes, {_store.version_of(each)}"
        for name, each in found.items()
        if each["type"] == "file"
    }


def read_bytes(path: pathlib.PurePath) -> bytes:
    """The content of a file; an OSError where it cannot be read."""
    return _store.read(path) if is_store(path) else pathlib.Path(path).read_bytes()


def read_text(path: pathlib.PurePath) -> str:
    """The content of a file as text (UTF-8)."""
    if is_store(path):
        return _store.read(path).decode("utf-8")
    return pathlib.Path(path).read_text(encoding="utf-8")


def opened(path: pathlib.PurePath) -> io.BytesIO | io.BufferedReader:
    """A file to read from; of a store, all of it in memory."""
    return io.BytesIO(_store.read(path)) if is_store(path) else open(path, "rb")


def write_object(path: pathlib.PurePath, data: bytes) -> None:
    """Puts an object into a store, all or nothing, under its final name."""
    _store.write(path, data)


def copy_object(path: pathlib.PurePath, to: pathlib.PurePath) -> None:
    """Copies an object within its store, all or nothing; nothing is sent here."""
    _store.copy(path, to)


def version(path: pathlib.PurePath) -> tuple[int, str]:
    """The size of a file and when, or as what, it last changed; an OSError if none."""
    if is_store(path):
        info = _store.state(path)
        return info["size"], f"as {_store.version_of(info)}"
    found = pathlib.Path(path).stat()
    return found.st_size, f"at {found.st_mtime_ns}"


def remove(paths: Iterable[pathlib.PurePath]) -> None:
    """Deletes files; those that are not there are fine."""

    def drop(path: pathlib.PurePath) -> None:
        if is_store(path):
            _store.delete(path)
        else:
            pathlib.Path(path).unlink(missing_ok=True)

    for _ in each(drop, paths):
        pass


def resolved(path: pathlib.PurePath) -> pathlib.PurePath:
    """The path without links and dots; a store has no links."""
    if not is_store(path):
        return pathlib.Path(path).resolve()
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts[3:] = parts[3:][:-1]  # not out of the bucket
        else:
            parts.append(part)
    return type(path)(*parts)


def each(
    function: Callable[[pathlib.PurePath], _Value], files: Iterable[pathlib.PurePath]
) -> Iterator[_Value]:
    """What a function gives for each of some files, in order."""
    files = list(files)
    if files and is_store(files[0]):
        return side_by_side(function, files)
    return map(function, files)


def side_by_side(
    function: Callable[[_Item], _Value], items: Iterable[_Item]
) -> Iterator[_Value]:
    """What a function that waits for a store gives for each item, in order.

    The function is called in threads, some items ahead of the one that is taken.
    """
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting: collections.deque = collections.deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 4 * _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
