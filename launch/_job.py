"""The frame of a job over a data set: open the folder, drive, record, sum up."""

import json
import math
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import jax
from absl import flags
from jax.experimental import multihost_utils

from mspd_jax import data, drive, models, runs, streams

FLAGS = flags.FLAGS
# Flags that do not decide what the results are; block and chunk stand in the identity
# as what they came to.
_FREE = {
    "out", "batch_size", "block", "chunk", "offline", "query_log", "query_batch",
    "query_retries", "query_timeout", "query_rate", "token_variable",
    "coordinator", "num_processes", "process_id", "cluster",
}  # fmt: skip


class Finished(NamedTuple):
    """What a job did.

    run: its folder. records: one per image, ordered by index; None on all but the
    first process of a cluster. timing: fields for the summary. unreadable: what was
    said of each image that could not be read.
    """

    run: runs.OpenRun
    records: list[dict] | None
    timing: dict
    unreadable: list[str]


def run_job(
    name: str,
    *,
    predict: Callable,
    method: Callable,
    source: data.Source,
    describe: Callable[[pathlib.Path, data.Record, object], dict],
    used: dict[str, models.Model],
    block: int,
    out: str | pathlib.Path | None = None,
    batch_size: int | None = None,
    axis_name: str | None = None,
    unused: Collection[str] = (),
    **extra,
) -> Finished:
    """Drives `method` over `source` and appends what `describe` says of each result.

    describe: (run folder, record, result) -> fields of the image's record; it may
    write files below the folder. used: the models by role, whose hashes go to run.json.
    out, batch_size: those of the flags by default. block, axis_name: see `drive.drive`.
    unused: see `identity`.
    extra: what else decides results.
    """
    run = open_folder(
        out or FLAGS.out,
        identity(name, used, unused) | {"block": block} | extra,
        num_classes=source.num_classes,
    )
    outcomes = drive.drive(
        job_key(name), predict, method, source, skip=run.done, axis_name=axis_name,
        block=block, batch_size=batch_size or FLAGS.batch_size,
    )  # fmt: skip
    return record_outcomes(name, run, outcomes, describe, images=len(source.indices))


def record_outcomes(
    name: str,
    run: runs.OpenRun,
    outcomes: Iterable[list[drive.Outcome]],
    describe: Callable[[pathlib.Path, data.Record, object], dict],
    *,
    images: int,
) -> Finished:
    """Appends a record for each outcome, batch by batch, and shows the progress.

    images: how many there are in all, those with a record already included.
    """
    index, count = jax.process_index(), jax.process_count()
    bar = drive.with_progress(
        outcomes, total=math.ceil(images / count),
        done=len(run.done) // count, description=name, hidden=index > 0,
    )  # fmt: skip
    clock, unreadable, sizes = [time.perf_counter()], [], []
    for batch in bar:
        unreadable += [o.error for o in batch if o.error]
        records = [
            {
                "index": o.record.index,
                "label": o.record.label,
                **describe(run.path, o.record, o.result),
            }
            for o in batch
            if not o.error
        ]
        runs.append_records(run, records)
        clock.append(time.perf_counter())
        sizes.append(len(batch))
    timing = _timing(clock, sizes) or _earlier_timing(run.path)
    return Finished(run, merged(run), timing, unreadable)


def open_folder(out: str | pathlib.Path, identity: dict, **more) -> runs.OpenRun:
    """The run folder `out`, for this process of a cluster."""
    return runs.open_run(
        out, identity, details={**more, **details()}, wait=barrier,
        process_index=jax.process_index(), process_count=jax.process_count(),
    )  # fmt: skip


def job_key(name: str) -> jax.Array:
    """The key of a job: the seed gives each of them randomness of its own."""
    return streams.stream(FLAGS.seed, name)


def merged(run: runs.OpenRun) -> list[dict] | None:
    """All records once every process is done; None but on the first process."""
    barrier()
    return runs.merge_records(run) if jax.process_index() == 0 else None


def finished_summary(run: runs.OpenRun) -> dict | None:
    """The summary of an evaluation that has nothing left to do, or None.

    While something is left, the journal of its stages lies beside it.
    """
    path = run.path / "summary.json"
    if not path.exists() or runs.has_journal(run.path):
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def write_summary(job: Finished, summary: dict) -> dict:
    """Completes the summary with counts, times and warnings; writes summary.json."""
    told = [f"unreadable, left out: {error}" for error in job.unreadable]
    warnings = summary.get("warnings", []) + told
    summary = {
        "images": len(job.records), **job.timing, **summary, "warnings": warnings
    }  # fmt: skip
    runs.write_json(job.run.path / "summary.json", summary)
    return summary


def finish(job: Finished, summary: dict) -> int:
    """Writes and prints the summary, names unreadable images; gives the exit code."""
    if job.records is not None:
        summary = write_summary(job, summary)
    return tell(job, summary)


def tell(job: Finished, summary: dict) -> int:
    """Prints a summary, names unreadable images; gives the exit code."""
    if job.records is not None:
        for field, value in summary.items():
            if field not in ("warnings", "reliability"):
                print(f"{field}: {_shown(value)}")
        for warning in summary["warnings"]:
            print(f"warning: {warning}", file=sys.stderr)
    if job.unreadable:
        print(f"error: {len(job.unreadable)} images could not be read", file=sys.stderr)
    return 1 if job.unreadable else 0


def identity(
    name: str, used: dict[str, models.Model], unused: Collection[str] = ()
) -> dict:
    """What decides the results of a run.

    unused: flags of the main that do not, the way it was called.
    """
    own = FLAGS.get_key_flags_for_module(sys.argv[0])
    free = _FREE.union(unused)
    values = {flag.name: flag.value for flag in own if flag.name not in free}
    hashes = {role: models.function_hash(m)[:16] for role, m in used.items()}
    return {"job": name, "flags": dict(sorted(values.items())), "models": hashes}


def details() -> dict:
    """Where and with what the run was started."""
    device = jax.devices()[0]
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "batch_size": FLAGS.batch_size,
        "platform": device.platform,
        "device": device.device_kind,
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "versions": runs.package_versions(),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    here = pathlib.Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _timing(clock: list[float], images: list[int]) -> dict:
    """Seconds of this start; the rate leaves out the first batch, which compiles."""
    if not images:
        return {}
    later = sum(images[1:])
    return {
        "seconds": round(clock[-1] - clock[0], 3),
        "images_computed": sum(images),
        "images_per_second": round(later / (clock[-1] - clock[1]), 6)
        if later
        else None,
    }


def _earlier_timing(path: pathlib.Path) -> dict:
    """What the start that finished the run took, for one that had nothing to do."""
    nothing = {"seconds": 0.0, "images_computed": 0, "images_per_second": None}
    try:
        found = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return nothing
    return {name: found.get(name, value) for name, value in nothing.items()}


def barrier() -> None:
    """Waits for the other processes of a cluster."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("mspd_jax")


def _shown(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
