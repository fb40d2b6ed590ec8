"""Names that pictures have in a run that goes on, whatever was added beside them."""

import os
import pathlib
from collections.abc import Callable

from mspd_jax import data, paths, runs
from mspd_jax.pictures._read import picture_floats, picture_shape

# (path, name of its output) -> whether the run wrote this picture under this name.
Wrote = Callable[[pathlib.PurePath, str], bool]


def wrote_in(out: str | os.PathLike | None) -> Wrote:
    """What the run in a folder wrote, by the contents of the originals.

    Asked of a name that is not recorded there it reads no file.
    """
    folder = None if out is None else paths.as_path(out)
    if folder is None or not runs.is_run_folder(folder):
        return lambda path, name: False
    digests = {
        record.get("name"): record.get("source_digest")
        for record in runs.read_records(folder)
    }

    def wrote(path: pathlib.PurePath, name: str) -> bool:
        digest = digests.get(name)
        return digest is not None and digest == _digest(path, name)

    return wrote


def indexed_name(name: str) -> str:
    """The name by which a picture has its index, in whatever format it is written."""
    return f"{name.rpartition('.')[0]}.png"


def _digest(path: pathlib.PurePath, name: str) -> str | None:
    kind = data.FileKind(picture_floats, picture_shape)
    return data.file_source("", [(0, -1, path, indexed_name(name))], kind).digest_of(0)
