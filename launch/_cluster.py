"""Joining the other processes of a run, and what is said when one of them ends.

JAX's own service watches over the processes: each sends heartbeats, and where one has
stopped, JAX aborts all others from within its C++ code, with a page of text. That page
is read by a process beside this one, which says in one line who has ended
(`_cluster_words.py`); what this process says itself is shown as ever.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

import jax

from mspd_jax import drive

# Of silence, after which a process is taken for dead; JAX sees it some seconds later.
SILENCE = 30
# What errors of XLA's network begin with.
_STATUS = re.compile(
    "(ABORTED|CANCELLED|DEADLINE_EXCEEDED|FAILED_PRECONDITION|INTERNAL|UNAVAILABLE|"
    "UNKNOWN): "
)
_READER = pathlib.Path(__file__).with_name("_cluster_words.py")


def join(
    coordinator: str | None, num_processes: int | None, process_id: int | None
) -> None:
    """Joins a cluster, by default one that JAX finds by itself; says what it is."""
    _read_what_jax_says()
    jax.distributed.initialize(
        coordinator, num_processes, process_id, heartbeat_timeout_seconds=SILENCE
    )
    here = drive.here()
    if here.process == 0:
        print(
            f"cluster: {here.processes} processes, {here.devices} devices "
            f"({here.device}), {here.local_devices} of them here",
            file=sys.stderr,
        )


def joined() -> bool:
    """Whether there are other processes."""
    return jax.distributed.is_initialized() and drive.here().processes > 1


def leave(code: int) -> None:
    """Ends this process at once, so that the others learn of it.

    The ordinary end waits for them, who may wait for this one. What serves as their
    coordinator lets them come to the same end first.
    """
    if drive.here().process == 0:
        time.sleep(2)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_broken(error: Exception) -> bool:
    """Whether an error may come of another process that has ended."""
    return isinstance(error, jax.errors.JaxRuntimeError) or bool(
        _STATUS.match(str(error))  # as Gloo's, between CPUs: a ValueError
    )


def wait_for_news() -> None:
    """After a broken connection: until JAX says who has ended, and aborts."""
    time.sleep(SILENCE + 20)


def _read_what_jax_says() -> None:
    """Sends what is written to the descriptor of standard error through the reader."""
    shown = os.dup(2)
    reading, writing = os.pipe()
    subprocess.Popen(
        [sys.executable, "-S", str(_READER)],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=shown,
        start_new_session=True,  # an interrupt is for this process
    )
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = os.fdopen(shown, "w", buffering=1)
