"""Folders between the disk and a store, for libraries that know files alone."""

import contextlib
import pathlib
import tempfile
from collections.abc import Collection, Iterator

from mspd_jax.errors import InputError
from mspd_jax.paths import _store
from mspd_jax.paths._files import each, files_below, remove
from mspd_jax.paths._path import is_store
from mspd_jax.paths._sums import SUMS

# Says that an upload has begun and not ended, while there is no SHA256SUMS.
_BEGUN = "_UNFINISHED"


@contextlib.contextmanager
def local_copy(folder: pathlib.PurePath) -> Iterator[pathlib.Path]:
    """A folder of the disk as it is, one of a store as a copy for a while."""
    if not is_store(folder):
        yield pathlib.Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="mspd_jax_") as copy:
        fetch(folder, pathlib.Path(copy))
        yield pathlib.Path(copy)


@contextlib.contextmanager
def local_file(path: pathlib.PurePath) -> Iterator[pathlib.Path]:
    """A file of the disk as it is, an object as a copy of that name for a while.

    Raises InputError if there is no such object.
    """
    if not is_store(path):
        yield pathlib.Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="mspd_jax_") as folder:
        copy = pathlib.Path(folder, path.name)
        try:
            _store.download(path, copy)
        except FileNotFoundError as error:
            raise InputError(f"no file {path}") from error
        yield copy


def fetch(
    folder: pathlib.PurePath,
    copy: pathlib.Path,
    names: Collection[str] | None = None,
) -> None:
    """Copies the objects below a folder of a store to the disk, or those named."""
    wanted = list(files_below(folder))
    if names is not None:
        wanted = [folder / name for name in sorted(names)]

    def get(path: pathlib.PurePath) -> None:
        _store.download(path, copy / path.relative_to(folder))

    for _ in each(get, wanted):
        pass


def send_file(local: pathlib.Path, path: pathlib.PurePath) -> None:
    """Copies a file of the disk to a store, all or nothing."""
    _store.upload(local, path)


def send_folder(local: pathlib.Path, folder: pathlib.PurePath) -> None:
    """Copies a folder of the disk, which has SHA256SUMS, to a store.

    That file comes last: without it, what lies there is no whole copy. What lay there
    before is replaced, and is not whole from the first object on.
    """
    names = {
        file.relative_to(local).as_posix()
        for file in local.rglob("*")
        if file.is_file()
    }
    before = list(files_below(folder))
    _store.write(folder / _BEGUN, b"")
    remove([folder / SUMS])

    def put(path: pathlib.PurePath) -> None:
        _store.upload(local / path.relative_to(folder), path)

    for _ in each(put, [folder / name for name in sorted(names - {SUMS})]):
        pass
    kept = {folder / name for name in names}
    remove([path for path in before if path not in kept])
    put(folder / SUMS)
    remove([folder / _BEGUN])


def was_begun(folder: pathlib.PurePath) -> bool:
    """Whether `send_folder` was killed in a folder."""
    return _store.kind(folder / _BEGUN) == "file"
