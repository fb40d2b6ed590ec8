"""Folders of several runs: what is in them, and one run made of its parts."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Sequence

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.runs._write import write_json

# What a run says of itself; everything else in its folder is its output.
_OWN = ("run.json", "summary.json")


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


def gather_run(parts: Sequence[str], out: str | os.PathLike, info: dict) -> None:
    """Makes the folder of a run out of those of its parts, in their order.

    Its logs (records, journals) are theirs one after the other, its other files the
    same files under a second name, or copies where a disk has no such thing; of totals
    there are none yet. `info` is written last: a folder without it is not whole.
    """
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    logs: dict[str, list[pathlib.Path]] = {}
    for part in map(pathlib.Path, parts):
        for file in sorted(path for path in part.rglob("*") if path.is_file()):
            name = file.relative_to(part)
            if len(name.parts) == 1 and name.suffix == ".jsonl":
                logs.setdefault(name.name, []).append(file)
            elif name.name not in _OWN and not name.name.startswith("."):
                _share(file, folder / name)
    for log, files in logs.items():
        _concatenate(files, folder / log)
    write_json(folder / "run.json", info)


def _share(file: pathlib.Path, name: pathlib.Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.unlink(missing_ok=True)
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)


def _concatenate(files: Sequence[pathlib.Path], name: pathlib.Path) -> None:
    partial = name.with_name(f".{name.name}.partial")
    with open(partial, "wb") as whole:
        for file in files:
            with open(file, "rb") as part:
                shutil.copyfileobj(part, whole)
    os.replace(partial, name)
