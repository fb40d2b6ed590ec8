"""Files that are written whole or not at all."""

import json
import os
import pathlib
from collections.abc import Iterable

from mspd_jax import paths


def write_file(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes so that `path` holds all of them or what it held before.

    The bytes go to a hidden neighbor first and take the name in one step. The
    neighbor's name is fixed, so that a writer killed half-way leaves nothing behind
    once it has run again. Parent folders are made. In a store, where a renaming is a
    copy and an object is there when it is whole, they go to their place at once.
    """
    write_chunks(path, (data,))


def write_chunks(path: str | os.PathLike, chunks: Iterable[bytes]) -> None:
    """The same for bytes that come in pieces, which on the disk are never all there."""
    if paths.is_store(path):
        paths.write_object(paths.as_path(path), b"".join(chunks))
        return
    folder, name = os.path.split(os.fspath(path))
    partial = os.path.join(folder, f".{name}.partial")
    try:
        file = open(partial, "wb")
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        file = open(partial, "wb")
    with file:
        file.writelines(chunks)
    os.replace(partial, path)


def write_json(path: pathlib.PurePath, content: dict) -> None:
    """Writes readable JSON, all or nothing."""
    write_file(path, (json.dumps(content, indent=2) + "\n").encode())
