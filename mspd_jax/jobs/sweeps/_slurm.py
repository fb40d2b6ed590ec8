"""Cells as job arrays of SLURM, by submitit; a job that is pre-empted is requeued."""

import contextlib
import os
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mspd_jax.errors import InputError, first_line
from mspd_jax.jobs.sweeps._engine import Engine
from mspd_jax.jobs.sweeps._work import Spec, Task, run_spec, spec_of

_PATIENCE = 1.0  # seconds between two looks at the files of jobs
_SQUEUE_EVERY = 15.0  # seconds between two looks at the queue


class _Resumable(NamedTuple):
    """Runs a cell; after a pre-emption or its time limit it is submitted as it was.

    The cell then goes on where its folder says. stopped: not empty from then on.
    """

    environment: dict[str, str]
    stopped: list[bool]

    def __call__(self, spec: Spec) -> str | None:
        """The error of the cell, or None."""
        os.environ.update(self.environment)
        error = run_spec(spec)
        if self.stopped:  # SLURM is at it, and cut short what submitit did about it
            os._exit(1)  # without a result, of which the next start has one
        return error

    def checkpoint(self, spec: Spec) -> Any:
        """What submitit submits in the place of a job that was stopped."""
        import submitit

        self.stopped.append(True)
        again: Any = _Resumable(self.environment, [])
        return submitit.helpers.DelayedSubmission(again, spec)


@contextlib.contextmanager
def slurm_engine(
    folder: pathlib.Path,
    cluster: str,
    parameters: Mapping[str, Any],
    environment: dict[str, str],
) -> Iterator[Engine]:
    """A job array for all cells that can begin at once.

    Args:
      folder: for the files of submitit, on a disk that all nodes see.
      cluster: slurm, or local and debug of submitit, which need none.
      parameters: of submitit's `update_parameters`.
      environment: variables for every job.
    """
    try:
        import submitit
    except ImportError as error:
        raise InputError(
            "`executor`=slurm needs submitit: pip install 'mspd_jax[slurm]'"
        ) from error
    try:
        executor = submitit.AutoExecutor(folder / "%j", cluster=cluster)
        executor.update_parameters(**parameters)
    except (RuntimeError, NameError, TypeError, ValueError) as error:
        raise InputError(f"SLURM cannot be used here: {first_line(error)}") from error

    submitted: list[Any] = []

    def start(tasks: Sequence[Task]) -> list:
        specs = [spec_of(task) for task in tasks]
        work: Any = _Resumable(environment, [])
        jobs: list[Any] = executor.map_array(work, specs)
        submitted.extend(jobs)
        return jobs

    lost = _lost if cluster == "slurm" else lambda jobs: set()

    def ended(jobs: Sequence) -> list:
        missing: set[str] = set()
        while True:
            asked = time.monotonic()
            while time.monotonic() - asked < _SQUEUE_EVERY:
                if done := [job for job in jobs if job.done()]:
                    return done
                time.sleep(_PATIENCE)
            now = lost(jobs)
            if gone := [job for job in jobs if job.job_id in now & missing]:
                return gone
            missing = now

    def error_of(job: Any) -> str | None:
        if not job.done():
            return "its job is in the queue no more: cancelled, or its node was lost"
        try:
            return job.result()
        except Exception as error:  # whatever a lost job raises
            log = job.paths.stderr
            return f"{type(error).__name__}: {first_line(error)}; see {log}"

    try:
        yield Engine(start, ended, error_of)
    finally:  # else two would work in one folder when the sweep is begun again
        for job in submitted:
            if not job.done():
                job.cancel(check=False)


def _lost(jobs: Sequence[Any]) -> set[str]:
    """Of these jobs those that SLURM has not in its queue, and that left no result.

    submitit asks the accounting, which small clusters do not keep.
    """
    command = ["squeue", "--noheader", "--array", "--format=%i"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return set()  # it may answer again
    queued = set(said.stdout.split())
    return {job.job_id for job in jobs if job.job_id not in queued and not job.done()}
