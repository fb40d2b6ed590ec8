"""Reading the folders of runs."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.runs._folder import SUMMARY, is_summed_up, read_records
from mspd_jax.runs._records import Records

_DEPTH = 5  # levels of folders in which runs are looked for
_OWN = ("images", "adversarial", "checkpoints", "model")  # folders that runs write

# At the end of the name of a folder: the parts of the run that is called so without it.
SHARDS = ".shards"


class Run(NamedTuple):
    """A run folder as read.

    Attributes:
      path: the folder.
      name: what tables call it.
      info: run.json.
      fields: those of the job, in older folders its flags.
      summary: summary.json, None while the run is unfinished.
      records: a sequence of one dict per image.
    """

    path: pathlib.PurePath
    name: str
    info: dict
    fields: dict
    summary: dict | None
    records: Records


def read_runs(folders: Sequence[str]) -> list[Run]:
    """The runs in `folders`: run folders, or those that hold some, in given order."""
    found: list[pathlib.PurePath] = []
    for path in (_folder(text) for text in folders):
        if not paths.is_dir(path):
            raise InputError(f"--runs: there is no folder {path}")
        inside = _run_folders(path)
        if not inside:
            raise InputError(
                f"--runs: {path} is no run folder and holds none (no run.json); name "
                "what a main wrote with --out"
            )
        found += [folder for folder in inside if folder not in found]
    names = _short_names(found)
    return [_read_run(path, name) for path, name in zip(found, names, strict=True)]


class Sweep(NamedTuple):
    """The folder of a sweep as read.

    path: the folder. runs: those in it. failed: of each cell that failed `cell`, what
    it is called, and `error`, why, as the sweep last noted it.
    """

    path: pathlib.PurePath
    runs: list[Run]
    failed: list[dict]


def sweeps_among(folders: Sequence[str], runs: Sequence[Run]) -> list[Sweep]:
    """The sweeps in `folders`, with those of the runs that lie in them."""
    found = []
    for path in (_folder(text) for text in folders):
        if paths.is_file(path / "run.json") and read_info(path).get("job") == "sweep":
            own = [run for run in runs if run.path.is_relative_to(path)]
            summary = path / SUMMARY
            noted = read_json(summary) if paths.is_file(summary) else {}
            found.append(Sweep(path, own, noted.get("failed", [])))
    return found


def read_info(folder: pathlib.PurePath) -> dict:
    """The content of run.json; InputError if it cannot be read."""
    return read_json(folder / "run.json")


def is_unfinished(folder: pathlib.PurePath, *, images: int | None = None) -> bool:
    """Whether a job is at work in a folder, or was killed there.

    It has then no summary, or one of fewer or more images than have a record now.
    images: how many have one, where that is known. Records that somebody copied without
    the rest of their run are taken as finished.
    """
    if not paths.is_file(folder / "run.json"):
        return False
    if not is_summed_up(folder):
        return True
    found = read_json(folder / SUMMARY)
    return images is not None and found.get("images", images) != images


def _folder(text: str) -> pathlib.PurePath:
    return paths.as_path(os.path.expanduser(text))


def _run_folders(path: pathlib.PurePath) -> list[pathlib.PurePath]:
    if paths.is_store(path):
        files = _run_files(path, _DEPTH)
    else:
        patterns = [f"{'*/' * depth}run.json" for depth in range(_DEPTH)]
        files = [f for p in patterns for f in sorted(pathlib.Path(path).glob(p))]
    # The folder of a sweep holds runs, it is none.
    folders = [file.parent for file in files if not _is_superseded(file.parent)]
    jobs = {folder: str(read_info(folder).get("job")) for folder in folders}
    return [folder for folder, job in jobs.items() if not job.endswith("sweep")]


def _run_files(path: pathlib.PurePath, depth: int) -> list[pathlib.PurePath]:
    """All run.json below a folder of a store, level by level.

    What a run writes besides is not listed: there may be millions of images.
    """
    level, found = [path], []
    for _ in range(depth):
        inside = [paths.children(folder) for folder in level]
        found += [p for held in inside for p in held if p.name == "run.json"]
        level = [
            child
            for held in inside
            for child, is_folder in held.items()
            if is_folder and child.name not in _OWN and child.suffix != ".parts"
        ]
    return found


def _is_superseded(folder: pathlib.PurePath) -> bool:
    """Whether a run is a part of one that has been put together: X.shards/3_of_8."""
    parts = folder.parent
    if not parts.name.endswith(SHARDS):
        return False
    whole = parts.with_name(parts.name.removesuffix(SHARDS))
    return paths.is_file(whole / "run.json") and paths.is_file(whole / SUMMARY)


def _short_names(folders: Sequence[pathlib.PurePath]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    resolved = [paths.resolved(folder) for folder in folders]
    for length in range(1, max((len(path.parts) for path in resolved), default=0)):
        names = ["/".join(path.parts[-length:]) for path in resolved]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in resolved]


def _read_run(path: pathlib.PurePath, name: str) -> Run:
    info = read_info(path)
    return Run(
        path=path,
        name=name,
        info=info,
        fields=info.get("fields") or info.get("flags") or {},
        summary=read_json(path / SUMMARY) if is_summed_up(path) else None,
        records=read_records(path),
    )


def read_json(path: pathlib.PurePath) -> dict:
    """The JSON object in a file of a run; InputError if it cannot be read."""
    try:
        content = json.loads(paths.read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); run the job again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object; run the job again")
    return content
