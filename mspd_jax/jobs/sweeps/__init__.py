"""Sweeps over jobs: cells, chains, shards; engines that run them, files that do.

A cell is a job value with a folder of its own. Which cells there are, where they lie
and what waits for what is planned before anything runs (`_plan`); engines that exist
run them (`_local`, `_ray`, `_slurm`), or files for them are printed (`_printed`).
"""

from mspd_jax.jobs.sweeps._engine import Engine as Engine
from mspd_jax.jobs.sweeps._known import jobs_meant as jobs_meant
from mspd_jax.jobs.sweeps._known import kind_of as kind_of
from mspd_jax.jobs.sweeps._machine import SweepMachine
from mspd_jax.jobs.sweeps._run import Swept
from mspd_jax.jobs.sweeps._sweep import Sweep, sweep

# What users call; other rooms may import the rest.
__all__ = ["Sweep", "SweepMachine", "Swept", "sweep"]
