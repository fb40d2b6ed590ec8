r"""Runs many cells of a job: a grid, a chain, a data set in shards; on engines.

    python -m launch.sweep --job=protect --source=SOURCE --grid=surrogate=A,B \
        --grid=eps=4/255,8/255 --grid=samples=4,20 --out=OUT
    python -m launch.sweep --job=protect ... --shards=64 --executor=ray --out=OUT
    python -m launch.sweep --cells=cells.jsonl --out=OUT
    python -m launch.sweep --job=protect ... --print=jobset --out=OUT > jobset.yaml

Each cell is a run of its own in a folder named by the fields that vary; one that has
finished is never run again, and one that fails does not stop the others. OUT/report
holds the table of all and a plot for each pair of fields; `report --runs=OUT` makes it
at any time. With --shards the parts of a source become one run again, the same to the
byte. In a file of cells, {"name": "train", ...} may be named by others as "@train".
--job=JOB --help shows the flags of a job.
"""

import sys

from launch import _main, _show
from mspd_jax import jobs

if __name__ == "__main__":
    _main.run_job(jobs.Sweep, show=_show.swept, inner=_main.named_job(sys.argv))
