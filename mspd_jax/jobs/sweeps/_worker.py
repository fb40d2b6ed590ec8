"""A worker of a local sweep: a cell a line on standard input, its error as the answer.

    python -m mspd_jax.jobs.sweeps._worker

What a job prints goes to standard error. The worker ends with whoever asks it.
"""

import json
import os
import queue
import sys
import threading
from typing import TextIO

from mspd_jax import drive
from mspd_jax.jobs.sweeps._work import run_spec


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cells: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, cells), daemon=True).start()
    while True:
        spec = json.loads(cells.get())
        with drive.shared_line([1.0], hidden=True) as begin:
            begin("cell")
            error = run_spec(spec)
        answers.write(json.dumps({"error": error}) + "\n")
        answers.flush()


def _read(lines: TextIO, cells: queue.SimpleQueue) -> None:
    for line in lines:
        cells.put(line)
    os._exit(0)  # also in the middle of a cell: nobody waits for it any more


if __name__ == "__main__":
    _main()
