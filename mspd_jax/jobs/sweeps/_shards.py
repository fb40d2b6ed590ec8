"""One run made of the runs of its shards."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from mspd_jax import drive, paths, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import details_of
from mspd_jax.jobs._identity import fields_of
from mspd_jax.jobs._values import opened

_TIMES = ("seconds", "images_computed", "compile_seconds")


def run_whole(job: Any, folder: str, machine: Any, parts: Sequence[str]) -> Any:
    """Gathers what the parts have found in the folder of the whole run, and ends it.

    The job then finds all images done, checks that models and images are still those of
    the parts, and sums up; so records and files are those of one run.
    """
    started = runs.is_marked(folder)
    drive.barrier()
    if drive.here().process == 0 and not started:
        runs.gather_run(parts, folder, _info(job, machine, parts))
    drive.barrier()
    result = job.run(folder, machine)
    if result.summary is not None and not started:
        _add_times(paths.as_path(folder), parts)
    return result


def _info(job: Any, machine: Any, parts: Sequence[str]) -> dict[str, Any]:
    """What run.json of the whole run says; InputError where parts do not agree."""
    first, *others = (runs.read_info(paths.as_path(part)) for part in parts)
    details = {"num_classes", *details_of(machine)}
    deciding = first.keys() - details - {"fields", "data"}
    for part, other in zip(parts[1:], others, strict=True):
        for name in sorted(deciding):
            if other.get(name) != first[name]:
                raise InputError(
                    f"{part} was computed with another {name} than {parts[0]}: remove "
                    "the one that is wrong, and start again"
                )
    info = {**first, "fields": fields_of(job)}
    if "data" in first:
        info["data"] = {name: _fingerprint(job, name) for name in first["data"]}
    return info


def _fingerprint(job: Any, field: str) -> str:
    limits: Mapping[str, Any] = {}
    if field == "source":
        limits = {"limit": job.limit, "every": getattr(job, "every", 1)}
    return opened(getattr(job, field), data_dir=job.data_dir, **limits).fingerprint


def _add_times(folder: pathlib.PurePath, parts: Sequence[str]) -> None:
    """Says in the totals what the parts took together, where the whole took nothing."""
    totals = runs.read_json(folder / "summary.json")
    found = [runs.read_json(paths.as_path(part) / "summary.json") for part in parts]
    for name in _TIMES:
        if name in totals:
            totals[name] = round(sum(part.get(name) or 0 for part in found), 3)
    runs.write_json(folder / "summary.json", totals)
