"""What kind of file of weights a file is, or what else, by its bytes."""

import json
import pathlib
import zipfile

from mspd_jax.errors import InputError

ACCEPTED = "PyTorch (.pt, .pth, .th, ...) or safetensors"

# First bytes of what people have in place of weights, and what to do about it.
_OTHERS = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch it with `git lfs pull`"),
    (b"\x1f\x8b", "a gzip archive: unpack it and name the file of weights in it"),
    (b"BZh", "a bzip2 archive: unpack it and name the file of weights in it"),
    (b"\xfd7zXZ", "an xz archive: unpack it and name the file of weights in it"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it and name the file of weights in it"),
    (b"Rar!", "a rar archive: unpack it and name the file of weights in it"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"{", "a JSON text"),
)
_TAR = slice(257, 262)  # where a tar archive says "ustar"
_PICKLE = b"\x80"
_HEADER = 8  # bytes of a safetensors file that say how long its header is


def file_kind(path: pathlib.Path) -> str:
    """Which of "torch" and "safetensors" it is; InputError says what any other is.

    Nothing of the file is executed or unpacked.
    """
    if not path.is_file():
        raise InputError(f"no file {path}: give a {ACCEPTED} file")
    with path.open("rb") as stream:
        start = stream.read(512)
    if not start:
        raise InputError(f"{path} is empty: give a {ACCEPTED} file")
    # First: its header may be as long as any other kind begins.
    if start[4:_HEADER] == bytes(4) and start[_HEADER : _HEADER + 1] == b"{":
        _check_length(path, start)
        return "safetensors"
    if start[:2] == b"PK":
        return _zip_kind(path)
    if start[:1] == _PICKLE:
        return "torch"
    if start[_TAR] == b"ustar":
        raise _refusal(path, "a tar archive: unpack it and name the weights in it")
    if start.lstrip()[:1] == b"<":
        raise _refusal(path, "a web page: what was downloaded is not the weights")
    for first, what in _OTHERS:
        if start.startswith(first):
            raise _refusal(path, what)
    raise _refusal(path, "of no known kind")


def _zip_kind(path: pathlib.Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path} is cut off or damaged: get it once more") from error
    if any(name.rsplit("/", 1)[-1] == "data.pkl" for name in names):
        return "torch"
    if names and all(name.endswith(".npy") for name in names):
        raise _refusal(path, "a NumPy archive")
    raise _refusal(path, "a zip archive of something else: name the weights in it")


def _check_length(path: pathlib.Path, start: bytes) -> None:
    """Whether the file is as long as its header says."""
    length = int.from_bytes(start[:_HEADER], "little")
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(_HEADER)
        header = stream.read(min(length, size))
    try:
        rows = json.loads(header).items()
        ends = [row["data_offsets"][1] for name, row in rows if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"{path} is no readable safetensors file") from error
    if _HEADER + length + max(ends, default=0) > size:
        raise InputError(f"{path} is cut off: get it once more")


def _refusal(path: pathlib.Path, what: str) -> InputError:
    return InputError(f"{path} is {what} (accepted: {ACCEPTED})")
