"""Running one cell, wherever: what a worker is told, and what it answers."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from mspd_jax import models, paths, runs
from mspd_jax.errors import InputError, first_line
from mspd_jax.jobs._convert import Convert
from mspd_jax.jobs._frame import lacks_seal
from mspd_jax.jobs._from_fields import job_of
from mspd_jax.jobs._identity import fields_of, job_name
from mspd_jax.jobs.sweeps._cell import SweepCell, plain_fields, title
from mspd_jax.jobs.sweeps._known import kind_of
from mspd_jax.jobs.sweeps._shards import run_whole

# Plain values that say all of a cell: job, fields, machine, folder, parts.
Spec = dict[str, Any]


class Task(NamedTuple):
    """A cell that is to be run in a folder.

    number: of the cell in the plan. needs: numbers of the tasks that go before. parts:
    folders of its parts.
    """

    number: int
    cell: SweepCell
    folder: str
    needs: tuple[int, ...]
    parts: tuple[str, ...]


def spec_of(task: Task) -> Spec:
    """A task as plain values; InputError where a field holds anything else."""
    cell = task.cell
    fields = plain_fields(cell.job)
    if fields is None:
        raise InputError(
            f"{title(cell)}: a worker is told texts and numbers, and a field holds a "
            "value of this process (a function, a model, arrays): name them, or use "
            "`executor`=here"
        )
    return {
        "job": job_name(type(cell.job)),
        "fields": fields,
        "machine": dataclasses.asdict(cell.machine),
        "folder": task.folder,
        "parts": list(task.parts),
    }


def run_spec(spec: Spec) -> str | None:
    """Runs the task that a `spec_of` describes; None, or in a line why it failed."""
    try:
        kind = kind_of(spec["job"])
        fields = {n: v for n, v in spec["machine"].items() if v is not None}
        job, machine = job_of(kind, fields | spec["fields"])
    except InputError as error:
        return _line(error)
    return run_job(job, machine, spec["folder"], spec["parts"])


def run_job(job: Any, machine: Any, folder: str, parts: Sequence[str]) -> str | None:
    """Runs a job in its folder, out of its parts where it has some."""
    try:
        if parts:
            run_whole(job, folder, machine, parts)
        else:
            job.run(folder, machine)
    except InputError as error:
        return _line(error)
    except Exception as error:  # of one cell: the others go on
        logging.getLogger(__name__).exception("%s", folder)
        return f"{type(error).__name__}: {first_line(error)}"
    return None


def is_done(job: Any, folder: str) -> bool:
    """Whether a finished run of these fields lies in a folder."""
    path = paths.as_path(folder)
    if isinstance(job, Convert):
        return models.holds_model(path)
    if not runs.is_marked(path) or runs.is_unfinished(path):
        return False
    if lacks_seal(path):
        return False
    info = runs.read_info(path)
    same = runs.same_fields(info.get("fields") or {}, fields_of(job))
    return info.get("job") == job_name(type(job)) and same


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
