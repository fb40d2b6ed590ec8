"""Jobs one after the other, in one process or in each process of a cluster.

    python -m tests.launch.in_turn FILE [--coordinator=HOST:PORT --num_processes=N
        --process_id=I]

runs the jobs that the lines of FILE describe, as cells of a sweep are described: JSON
objects of `job`, its fields, and `out`. It joins a cluster, and ends, as mains do; to
start and to join takes longer than a small job.
"""

import argparse
import json
import pathlib
import sys

from launch import _cluster, _main
from mspd_jax import jobs


def begun() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--coordinator")
    parser.add_argument("--num_processes", type=int)
    parser.add_argument("--process_id", type=int)
    given = parser.parse_args()
    if given.coordinator:
        _cluster.join(given.coordinator, given.num_processes, given.process_id)
    for line in given.file.read_text().splitlines():
        fields = json.loads(line)
        name, out = fields.pop("job"), fields.pop("out")
        kind = jobs.Report if name == "report" else jobs.kind_of(name)
        job, machine = jobs.job_of(kind, fields)
        job.run(out, machine)
    return 0


if __name__ == "__main__":
    sys.exit(_main.ending(begun))
