"""Short hashes by which a run knows its data again."""

import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from mspd_jax import paths

# Bytes that are hashed within a second: files that come to more are known by their
# sizes and times of change.
AFFORDABLE = 2**28
_ROWS = 256  # of an array, hashed at once


def digest(*parts: str | int | bytes | None) -> str:
    """16 hexadecimal digits of the parts and their order."""
    return _combined(part if isinstance(part, bytes) else _text(part) for part in parts)


def array_digest(array: np.ndarray, positions: Sequence[int] | np.ndarray) -> str:
    """Digest of the rows of an array at these positions: type, shape, and bytes."""
    rows = np.asarray(positions, np.int64)
    head = _text(f"{array.dtype.str} {array.shape[1:]} {len(rows)}")
    starts = range(0, len(rows), _ROWS)
    blocks = (array[rows[start : start + _ROWS]].tobytes() for start in starts)
    return _combined((head, *blocks))


def file_digest(path: str | os.PathLike, *parts: str | int) -> str | None:
    """Digest of the content of a file and of `parts`; None where it cannot be read."""
    try:
        content = paths.read_bytes(paths.as_path(path))
    except OSError:
        return None
    return digest(*parts, content)


def file_prints(files: Sequence[str | os.PathLike]) -> list[str | None]:
    """What tells each of these files from another; None where it cannot be read.

    Their contents decide where they come to 256 MB at most: then a copy of the files
    has the same prints. Otherwise their sizes and times of change do, in a store what
    it calls them by.
    """
    places = [paths.as_path(file) for file in files]
    states = list(paths.each(_state, places))
    if sum(size for size, _ in filter(None, states)) <= AFFORDABLE:
        return list(paths.each(file_digest, places))
    return [state and f"{state[0]} bytes {state[1]}" for state in states]


def _combined(parts: Iterable[bytes]) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))  # ab, c are not a, bc
        state.update(part)
    return state.hexdigest()[:16]


def _text(part: str | int | None) -> bytes:
    return str(part).encode("utf-8", "surrogateescape")


def _state(path: pathlib.PurePath) -> tuple[int, str] | None:
    try:
        return paths.version(path)
    except OSError:
        return None
