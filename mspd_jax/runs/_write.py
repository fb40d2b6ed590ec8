"""Files that are written whole or not at all."""

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator

from mspd_jax import paths


def write_file(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes so that `path` holds all of them or what it held before.

    Parent folders are made. In a store, where a renaming is a copy and an object is
    there when it is whole, the bytes go to their place at once.
    """
    write_chunks(path, (data,))


def write_chunks(path: str | os.PathLike, chunks: Iterable[bytes]) -> None:
    """The same for bytes that come in pieces, which on the disk are never all there."""
    if paths.is_store(path):
        paths.write_object(paths.as_path(path), b"".join(chunks))
        return
    with whole_file(path) as partial, open(partial, "wb") as file:
        file.writelines(chunks)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike, *, through: bool = False) -> Iterator[str]:
    """A file of the disk to write, which takes its name when all is in it, at once.

    It is a hidden neighbor of a fixed name, so that a writer killed half-way leaves
    nothing behind once it has run again. Of a store it is a file elsewhere, which is
    sent there.

    through: to the disk before it takes its name, for what is not made again when the
    machine fails; into a store it goes in any case.
    """
    folder, name = os.path.split(os.fspath(path))
    if paths.is_store(path):
        with tempfile.TemporaryDirectory(prefix="mspd_jax_") as elsewhere:
            file = os.path.join(elsewhere, name)
            yield file
            paths.send_file(pathlib.Path(file), paths.as_path(path))
        return
    partial = os.path.join(folder, f".{name}.partial")
    if folder and not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
    yield partial
    if through:
        _sync(partial)
    os.replace(partial, path)


def _sync(file: str) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: pathlib.PurePath, content: dict) -> None:
    """Writes readable JSON, all or nothing."""
    write_file(path, (json.dumps(content, indent=2) + "\n").encode())
