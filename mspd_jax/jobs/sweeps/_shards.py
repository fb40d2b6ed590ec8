"""One run made of the runs of its shards."""

from collections.abc import Mapping, Sequence
from typing import Any

from mspd_jax import drive, paths, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import PARTS_TOOK, details_of
from mspd_jax.jobs._identity import fields_of
from mspd_jax.jobs._image_files import gathered_name
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
        named = gathered_name(getattr(job, "format", None))
        runs.gather_run(parts, folder, _info(job, machine, parts), named=named)
    drive.barrier()
    return job.run(folder, machine)


def _info(job: Any, machine: Any, parts: Sequence[str]) -> dict[str, Any]:
    """What run.json of the whole run says; InputError where parts do not agree."""
    folders = [paths.as_path(part) for part in parts]
    first, *others = paths.each(runs.read_info, folders)
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
    return {**info, PARTS_TOOK: _times(parts)}


def _fingerprint(job: Any, field: str) -> str:
    limits: Mapping[str, Any] = {}
    if field == "source":
        limits = {"limit": job.limit, "every": getattr(job, "every", 1)}
    return opened(getattr(job, field), data_dir=job.data_dir, **limits).fingerprint


def _times(parts: Sequence[str]) -> dict[str, float]:
    """What the parts took together."""
    files = [paths.as_path(part) / "summary.json" for part in parts]
    found = list(paths.each(runs.read_json, files))
    return {
        name: round(sum(part.get(name) or 0 for part in found), 3) for name in _TIMES
    }
