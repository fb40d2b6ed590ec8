"""Opening what is a file and nothing else, and naming it in one line."""

import io
import os
import pathlib
import stat
from typing import BinaryIO

from mspd_jax.errors import InputError

# A file of the disk by its path, or the content of any.
File = str | os.PathLike | bytes


def shown(name: str | os.PathLike) -> str:
    """A name for a message of one line, also where it holds a newline or no text."""
    text = os.fspath(name)
    return text if text.isprintable() else ascii(text)


def refused(name: str | os.PathLike, reason: str) -> InputError:
    """What is raised of a picture that cannot be read or kept whole."""
    return InputError(f"the picture {shown(name)} {reason}")


def open_file(file: File) -> BinaryIO:
    """A stream of a file; OSError says what is none: a folder, a pipe, a device.

    Those are never opened, which may wait forever or move a tape.
    """
    if isinstance(file, bytes):
        return io.BytesIO(file)
    _check_file(os.stat(file).st_mode)
    stream = open(file, "rb", opener=_without_waiting)
    try:
        # It may have become another thing since.
        _check_file(os.fstat(stream.fileno()).st_mode)
    except OSError:
        stream.close()
        raise
    return stream


def what_else(mode: int) -> str | None:
    """What an entry of a folder is, of this `st_mode`, that is no file."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return None if stat.S_ISREG(mode) else kinds.get(stat.S_IFMT(mode), "no file")


def first_bytes(path: pathlib.Path, count: int) -> bytes:
    """The first bytes of a file; an OSError where it cannot be read."""
    with open_file(path) as stream:
        return stream.read(count)


def _check_file(mode: int) -> None:
    what = what_else(mode)
    if what is not None:
        raise OSError(f"it is {what}")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
