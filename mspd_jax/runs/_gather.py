"""One run made of the runs of its parts, on a disk or in a store."""

import os
import pathlib
import shutil
from collections.abc import Callable, Sequence

from mspd_jax import paths
from mspd_jax.runs._log import log_lines, log_of
from mspd_jax.runs._manifest import SEALS, take_over
from mspd_jax.runs._write import whole_file, write_json

# What a run says of itself; everything else in its folder is its output.
_OWN = ("run.json", "summary.json", *SEALS)


def same_name(number: int, name: str) -> str:
    """Files of the whole run are called as in the parts."""
    return name


def gather_run(
    parts: Sequence[str],
    out: str | os.PathLike,
    info: dict,
    *,
    named: Callable[[int, str], str | None] = same_name,
) -> None:
    """Makes the folder of a run out of those of its parts, in their order.

    Its logs (records, journals) are theirs one after the other. Its other files are the
    same files under a second name, or copies where a disk has no such thing; in a store
    they are copies that it makes by itself, but for those that a call which was killed
    has made. Of totals there are none yet. `info` is written last: a folder without it
    is not whole.

    named: (number of the part, name of a file in it) -> its name in the whole run, None
    for a file that is left out.
    """
    folder = paths.as_path(out)
    gather = _in_store if paths.is_store(folder) else _on_disk
    gather([paths.as_path(part) for part in parts], folder, named)
    write_json(folder / "run.json", info)


def _on_disk(parts: Sequence[pathlib.PurePath], out: pathlib.PurePath, named) -> None:
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    logs: dict[str, list[pathlib.Path]] = {}
    for number, part in enumerate(map(pathlib.Path, parts)):
        for file in sorted(path for path in part.rglob("*") if path.is_file()):
            name = file.relative_to(part)
            if len(name.parts) == 1 and name.suffix == ".jsonl":
                logs.setdefault(name.name, []).append(file)
            elif name.name not in _OWN and not name.name.startswith("."):
                new = named(number, name.as_posix())
                if new is not None:
                    _share(file, folder / new)
    for log, files in logs.items():
        _concatenate(files, folder / log)


def _share(file: pathlib.Path, name: pathlib.Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.unlink(missing_ok=True)
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)


def _concatenate(files: Sequence[pathlib.Path], name: pathlib.Path) -> None:
    with whole_file(name) as partial, open(partial, "wb") as whole:
        for file in files:
            with open(file, "rb") as part:
                shutil.copyfileobj(part, whole)


def _in_store(
    parts: Sequence[pathlib.PurePath], folder: pathlib.PurePath, named
) -> None:
    there = paths.files_below(folder)  # what a killed call has copied
    logs: dict[str, None] = {}
    for number, part in enumerate(parts):  # one by one: there may be millions of images
        copies = []
        for file, version in paths.files_below(part).items():
            name = file.relative_to(part).as_posix()
            log, new = log_of(name), named(number, name)
            if log is not None:
                logs[log] = None
            elif name not in _OWN and new and there.get(folder / new) != version:
                copies.append((file, folder / new))
        for _ in paths.side_by_side(lambda pair: paths.copy_object(*pair), copies):
            pass
    for log in logs:
        lines = [line for part in parts for line in log_lines(part, log)]
        paths.write_object(folder / f"{log}.jsonl", "".join(lines).encode())
    take_over(parts, folder)
