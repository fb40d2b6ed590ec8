"""SHA256SUMS: the hashes of all files of a folder (`sha256sum -c` reads it)."""

import hashlib
import pathlib

SUMS = "SHA256SUMS"


def sums_of(folder: pathlib.Path) -> str:
    """The lines of SHA256SUMS for the files below a folder of the disk."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return "".join(
        f"{_sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files
    )


def changed_file(folder: pathlib.Path, sums: str) -> tuple[str, str] | None:
    """The first file below a folder of the disk that is not what the lines say, and
    what is wrong with it; None where all are."""
    for line in sums.splitlines():
        wanted, _, name = line.partition("  ")
        try:
            found = _sha256(folder / name)
        except (OSError, ValueError):
            return name, "cannot be read"
        if found != wanted:
            return name, "is not the file that was saved"
    return None


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
