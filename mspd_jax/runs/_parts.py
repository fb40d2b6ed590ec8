"""What lies in the folders of several runs, and how they are marked."""

import contextlib
import os

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.runs._write import write_json


def read_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a text file; InputError if it cannot be read."""
    try:
        return paths.read_text(paths.as_path(path)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} ({error})") from error


def absolute(path: str | os.PathLike) -> str:
    """The path as it is called from anywhere."""
    text = os.fspath(path)
    return text if paths.is_store(text) else os.path.abspath(os.path.expanduser(text))


def names_in(path: str | os.PathLike) -> list[str]:
    """What lies in a folder, sorted; nothing where there is none."""
    folder = paths.as_path(path)
    return [p.name for p in paths.children(folder)] if paths.is_dir(folder) else []


def is_marked(path: str | os.PathLike) -> bool:
    """Whether a folder says in run.json what it holds."""
    return paths.is_file(paths.as_path(path) / "run.json")


def mark_folder(path: str | os.PathLike, content: dict) -> None:
    """Says in run.json what a folder holds, unless it does; several may at a time."""
    if not is_marked(path):
        with contextlib.suppress(FileNotFoundError):  # another was quicker
            write_json(paths.as_path(path) / "run.json", content)
