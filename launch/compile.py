r"""Compiles the programs of a job ahead of its run, for workers that start later.

    python -m launch.compile protect --source=folder:PHOTOS --surrogate=CKPT --eps=8/255

takes the flags of the job, runs nothing, and writes nothing but compiled programs into
the compilation cache (JAX_COMPILATION_CACHE_DIR: a folder that the workers see). A run
with these flags, or with another eps, rate, seed, other weights or images of this
shape, then starts at once, on devices of the kind that compiled. The reliability checks
of evaluate are compiled by running them on their images.
"""

import sys

from launch import _main, _show
from mspd_jax import jobs

if __name__ == "__main__":
    job = _main.job_named(sys.argv.pop(1) if len(sys.argv) > 1 else "--help")
    if job is None:
        print(__doc__)
    else:
        _main.run_job(
            job,
            method=lambda made, _, machine: jobs.compiled(made, machine),
            show=_show.compiled,
            keep_all=True,
            out="not used: nothing is written there",
            default_out="",
        )
