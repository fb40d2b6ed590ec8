"""Files that are written whole or not at all."""

import json
import os
import pathlib

from mspd_jax import paths


def write_file(path: str | os.PathLike, data: bytes) -> None:
    """Write bytes so that `path` holds all of them or what it held before.

    The bytes go to a hidden neighbor first and take the name in one step. The
    neighbor's name is fixed, so that a writer killed half-way leaves nothing behind
    once it has run again. Parent folders are made. In a store, where a renaming is a
    copy and an object is there when it is whole, they go to their place at once.
    """
    path = paths.as_path(path)
    if paths.is_store(path):
        paths.write_object(path, data)
        return
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def write_json(path: pathlib.PurePath, content: dict) -> None:
    """Writes readable JSON, all or nothing."""
    write_file(path, (json.dumps(content, indent=2) + "\n").encode())
