"""Reading the folders of runs."""

import json
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from mspd_jax.errors import InputError
from mspd_jax.runs._folder import read_records


class Run(NamedTuple):
    """A run folder as read.

    path: the folder. name: what tables call it. info: run.json. fields: those of
    the job, in older folders its flags. summary: summary.json, None while the run is
    unfinished. records: one dict per image.
    """

    path: pathlib.Path
    name: str
    info: dict
    fields: dict
    summary: dict | None
    records: list[dict]


def read_runs(paths: Sequence[str]) -> list[Run]:
    """The runs in `paths`: run folders, or folders that hold some, in given order."""
    found = []
    for path in (pathlib.Path(text).expanduser() for text in paths):
        if not path.is_dir():
            raise InputError(f"--runs: there is no folder {path}")
        folders = _run_folders(path)
        if not folders:
            raise InputError(
                f"--runs: {path} is no run folder and holds none (no run.json); name "
                "what a main wrote with --out"
            )
        found += [folder for folder in folders if folder not in found]
    names = _short_names(found)
    return [_read_run(path, name) for path, name in zip(found, names, strict=True)]


def read_info(folder: pathlib.Path) -> dict:
    """The content of run.json; InputError if it cannot be read."""
    return read_json(folder / "run.json")


def is_unfinished(folder: pathlib.Path, *, images: int | None = None) -> bool:
    """Whether a job is at work in a folder, or was killed there.

    It has then no summary, or one of fewer or more images than have a record now.
    images: how many have one, where that is known. Records that somebody copied without
    the rest of their run are taken as finished.
    """
    if not (folder / "run.json").is_file():
        return False
    summary = folder / "summary.json"
    if not summary.is_file():
        return True
    return images is not None and read_json(summary).get("images", images) != images


def _run_folders(path: pathlib.Path) -> list[pathlib.Path]:
    patterns = [f"{'*/' * depth}run.json" for depth in range(5)]
    files = [file for pattern in patterns for file in sorted(path.glob(pattern))]
    # The folder of a sweep holds runs, it is none.
    jobs = {file.parent: str(read_info(file.parent).get("job")) for file in files}
    return [folder for folder, job in jobs.items() if not job.endswith("sweep")]


def _short_names(paths: Sequence[pathlib.Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    resolved = [path.resolve() for path in paths]
    for length in range(1, max((len(path.parts) for path in resolved), default=0)):
        names = ["/".join(path.parts[-length:]) for path in resolved]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in resolved]


def _read_run(path: pathlib.Path, name: str) -> Run:
    info = read_info(path)
    summary = path / "summary.json"
    return Run(
        path=path,
        name=name,
        info=info,
        fields=info.get("fields") or info.get("flags") or {},
        summary=read_json(summary) if summary.exists() else None,
        records=read_records(path),
    )


def read_json(path: pathlib.Path) -> dict:
    """The JSON object in a file of a run; InputError if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); run the job again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object; run the job again")
    return content
