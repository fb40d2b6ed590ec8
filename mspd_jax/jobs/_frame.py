"""The frame of a job over images: open the folder, drive, record, sum up."""

import functools
import math
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import data, drive, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._identity import identity, job_name
from mspd_jax.jobs._image_files import ImageFiles
from mspd_jax.jobs._machine import Machine
from mspd_jax.jobs._result import Result, typed
from mspd_jax.jobs._values import Loaded
from mspd_jax.streams import stream

# In run.json of a run that was put together from parts: what these took.
PARTS_TOOK = "parts_took"
_LEFT_OUT = "unreadable, left out: "


class Kinds(NamedTuple):
    """The NamedTuples of a job's totals and records, with all that a run adds."""

    summary: Any
    record: Any


_ADDED = Kinds(
    {
        "images",
        "seconds",
        "images_computed",
        "images_per_second",
        "compile_seconds",
        "warnings",
    },
    {"index", "label", "source_digest"},
)


def run_over_images(
    job: Any,
    out: str | pathlib.PurePath,
    machine: Machine,
    *,
    predict: Callable,
    method: Callable,
    source: data.Source,
    describe: Callable[[data.Record, Any], dict],
    summarize: Callable[[Sequence[dict]], dict],
    used: dict[str, Loaded],
    kinds: Kinds,
    block: int,
    axis_name: str | None = None,
    files: ImageFiles | None = None,
    **resolved: Any,
) -> Result:
    """Drives `method` over `source` and keeps what `describe` says of each result.

    Args:
      describe: (image, result) -> fields of the image's record, besides its index and
        label; called in a thread of its own.
      summarize: records -> totals.
      used: the models by role, whose hashes belong to the identity.
      block, axis_name: see `drive.drive`. files: that `describe` adds images to.
      resolved: what else decides results by rounding, as `chunk`.
    """
    for kind, added in zip(kinds, _ADDED, strict=True):
        if missing := sorted(added - set(kind._fields)):
            raise TypeError(f"{kind.__name__} needs the fields {', '.join(missing)}")
    folder = open_folder(
        job, out, machine, used=used, source=source, block=block, **resolved
    )
    outcomes = drive.drive(
        stream(job.seed, job_name(type(job))),
        predict,
        method,
        source,
        skip=folder.done,
        axis_name=axis_name,
        block=block,
        batch_size=machine.batch_size,
    )
    return record_outcomes(
        job,
        folder,
        outcomes,
        source=source,
        describe=describe,
        summarize=summarize,
        kinds=kinds,
        files=files,
    )


def record_outcomes(
    job: Any,
    folder: runs.OpenRun,
    outcomes: Iterable[list[drive.Outcome]],
    *,
    source: data.Source,
    describe: Callable[[data.Record, Any], dict],
    summarize: Callable[[Sequence[dict]], dict],
    kinds: Kinds,
    logs: Iterable[str] = (),
    files: ImageFiles | None = None,
) -> Result:
    """Keeps a record of each outcome, and the totals of all; shows the progress.

    logs: names of the logs that the run wrote besides its records.
    """
    here, compiled = drive.here(), drive.compile_seconds()
    # An image that is another now is refused; one that was added is not done yet.
    done = runs.read_records(folder.path)
    digests = (record.get("source_digest") for record in done)
    missing = data.check_unchanged(source, done.indices, digests)
    earlier = _earlier_timing(folder.path)
    if len(folder.done) < len(source.indices):
        # Until the rest is done the folder is no finished run, nor a source of images.
        runs.reopen_run(folder)

    def described(record, result):
        place = int(np.searchsorted(source.indices, record.index))
        fields = {"label": record.label, **describe(record, result)}
        fields |= {"source_digest": source.digest_of(place)}
        typed(kinds.record, {"index": record.index} | fields)  # now, not at the end
        return fields

    def write(records):
        if files:
            files.flush([record["index"] for record in records])
        runs.append_records(folder, records)

    with drive.progress_bar(
        total=math.ceil(len(source.indices) / here.processes),
        done=len(folder.done) // here.processes,
        description=job_name(type(job)),
        hidden=here.process > 0,
    ) as bar:
        ran = drive.run(outcomes, described, write, advance=bar.update)
    records = merged(folder)
    if records is None:
        return Result(folder.path, None, (), tuple(ran.unreadable))
    if files:
        files.finish(records.indices)
    for name in logs:
        runs.close_log(folder.path, name)
    timing = earlier
    if ran.timing:
        timing = ran.timing | compile_time(compiled)
    summary = {**timing, **(summarize(records) if records else {})}
    if missing:
        summary["warnings"] = [
            *summary.get("warnings", []),
            f"{len(missing)} images of an earlier start are not in the source any "
            "more; their records are kept",
        ]
    result = finished(folder.path, records, summary, ran.unreadable, kinds)
    sealed(folder.path, ran.unreadable)
    return result


def open_folder(
    job: Any,
    out: str | pathlib.PurePath,
    machine: Any,
    *,
    used: dict[str, Loaded],
    source: data.Source | None = None,
    **resolved: Any,
) -> runs.OpenRun:
    """The run folder of a job, for this process of a cluster."""
    here = drive.here()
    return runs.open_run(
        out,
        identity(job, used, **resolved),
        details=details_of(machine, source),
        wait=drive.barrier,
        process_index=here.process,
        process_count=here.processes,
    )


def details_of(machine: Any, source: data.Source | None = None) -> dict[str, Any]:
    """What run.json says besides the identity: when, where and with what."""
    here = drive.here()
    classes = {} if source is None else {"num_classes": source.num_classes}
    return {
        **classes,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "batch_size": getattr(machine, "batch_size", None),
        "platform": here.platform,
        "device": here.device,
        "devices": here.devices,
        "processes": here.processes,
        "versions": runs.package_versions(),
        "git_commit": _git_commit(),
    }


def merged(folder: runs.OpenRun) -> runs.Records | None:
    """All records once every process is done; None but on the first process."""
    drive.barrier()
    return runs.merge_records(folder) if drive.here().process == 0 else None


def finished(
    path: pathlib.PurePath,
    records: runs.Records,
    summary: dict,
    unreadable: Iterable[str],
    kinds: Kinds,
) -> Result:
    """Writes summary.json, with the number of images and the warnings; the result.

    A run that was put together from parts took what these took.
    """
    unreadable = tuple(unreadable)
    warnings = [f"{_LEFT_OUT}{error}" for error in unreadable]
    warnings = summary.get("warnings", []) + warnings
    summary = {"images": len(records), **summary, "warnings": warnings}
    took = runs.read_info(path).get(PARTS_TOOK, {})
    summary |= {name: value for name, value in took.items() if name in summary}
    runs.write_json(path / "summary.json", summary)
    return result_of(path, records, summary, kinds, unreadable)


def sealed(path: pathlib.PurePath, unreadable: Iterable[str] = ()) -> None:
    """Says in a store that all is there, once the last file of the run is written."""
    if not list(unreadable):
        runs.seal(path)


def lacks_seal(path: pathlib.PurePath) -> bool:
    """Whether a run that is summed up was killed before it was sealed."""
    if runs.is_sealed(path):
        return False
    warnings = runs.read_json(path / "summary.json").get("warnings", [])
    return not any(warning.startswith(_LEFT_OUT) for warning in warnings)


def compile_time(before: float) -> dict[str, float]:
    """The field of a summary that says how long a start has compiled.

    before: what `drive.compile_seconds` said when it began.
    """
    return {"compile_seconds": round(drive.compile_seconds() - before, 3)}


def earlier(folder: runs.OpenRun, kinds: Kinds) -> Result:
    """What an earlier start of the run has finished."""
    records = merged(folder)
    if records is None:
        return Result(folder.path, None, ())
    sealed(folder.path)
    summary = runs.read_json(folder.path / "summary.json")
    return result_of(folder.path, records, summary, kinds)


def result_of(
    path: pathlib.PurePath,
    records: runs.Records,
    summary: dict,
    kinds: Kinds,
    unreadable: tuple[str, ...] = (),
) -> Result:
    """What lies in a run folder, typed."""
    return Result(
        path,
        typed(kinds.summary, summary),
        records.as_made_by(functools.partial(typed, kinds.record)),
        unreadable,
    )


def _git_commit() -> str | None:
    command = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _earlier_timing(path: pathlib.PurePath) -> dict:
    """What the start that finished the run took, for one that had nothing to do."""
    nothing = {"seconds": 0.0, "images_computed": 0, "images_per_second": None}
    nothing["compile_seconds"] = 0.0
    try:
        found = runs.read_json(path / "summary.json")
    except InputError:
        return nothing
    return {name: found.get(name, value) for name, value in nothing.items()}
