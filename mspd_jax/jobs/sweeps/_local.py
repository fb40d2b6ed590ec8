"""Worker processes on this machine, each with devices of its own."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from mspd_jax import drive
from mspd_jax.jobs.sweeps._engine import Engine, Task
from mspd_jax.jobs.sweeps._work import Spec, spec_of

_TRIES = 2  # of a cell: a worker that is killed for its memory will be again

_Worker = tuple[drive.Share, pathlib.Path, subprocess.Popen | None]


@contextlib.contextmanager
def local_engine(
    shares: Sequence[drive.Share], logs: pathlib.Path, environment: dict[str, str]
) -> Iterator[Engine]:
    """A worker process for each share of the devices, which runs cell after cell.

    A worker that is lost is replaced, and its cell resumed, once. What workers say goes
    to files in `logs`. They end with this process.
    """
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    begun: list[subprocess.Popen] = []
    closing = threading.Event()
    for number, share in enumerate(shares):
        idle.put((share, logs / f"worker-{number}.txt", None))

    def run(spec: Spec) -> str | None:
        share, log, process = idle.get()
        lost = ""
        try:
            for _ in range(_TRIES):
                if closing.is_set():
                    return "stopped"
                if process is None:
                    process = _started(share, log, environment)
                    begun.append(process)
                answer = _answer(process, spec)
                if answer is not None:
                    return answer["error"]
                lost, process = _ending(process), None
            return f"its worker was lost {_TRIES} times ({lost}); see {log}"
        finally:
            idle.put((share, log, process))

    def start(tasks: Sequence[Task]) -> list[concurrent.futures.Future]:
        return [pool.submit(run, spec_of(task)) for task in tasks]

    def ended(handles: Sequence) -> list[concurrent.futures.Future]:
        first = concurrent.futures.FIRST_COMPLETED
        return list(concurrent.futures.wait(handles, return_when=first).done)

    def error_of(future: Any) -> str | None:
        return future.result()

    pool = concurrent.futures.ThreadPoolExecutor(len(shares))
    try:
        yield Engine(start, ended, error_of)
    finally:
        closing.set()
        for process in begun:
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
            process.wait()
        pool.shutdown(cancel_futures=True)


def _started(
    share: drive.Share, log: pathlib.Path, environment: dict[str, str]
) -> subprocess.Popen:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mspd_jax.jobs.sweeps._worker"],
            env={**os.environ, **environment, **share.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,  # a key that stops this process stops it through us
        )
    if share.cores is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, share.cores)
    return process


def _answer(process: subprocess.Popen, spec: Spec) -> dict | None:
    """What a worker says of a cell; None where it is gone."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        return None
    return json.loads(line) if line.endswith("\n") else None


def _ending(process: subprocess.Popen) -> str:
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
