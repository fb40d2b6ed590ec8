"""The programs of jobs: for accelerators that are not here, and ahead of a run."""

import time
from typing import Any, NamedTuple

import jax.export

from mspd_jax import drive
from mspd_jax.errors import InputError

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


class Compiled(NamedTuple):
    """A program that has been compiled.

    kept: whether the compilation cache holds it for the next run. One on a CPU that
    asks a library, as trainings on large images do, is compiled anew.
    """

    name: str
    seconds: float
    kept: bool


def compiled(job: Any, machine: Any = None) -> list[Compiled]:
    """Compiles what `job.run` would, into JAX's compilation cache, and runs nothing.

    But the reliability checks of an evaluation, whose programs are many and small: they
    are compiled by a look at their images.

    Args:
      job: protect, revert, evaluate, certify with a model at hand, or a training.
      machine: default that of the job; sizes of blocks belong to the programs.

    Returns:
      The programs in the order of the run; those that share one are named once.
    """
    done = []
    for program in drive.distinct(job.programs(machine)):
        began = time.perf_counter()
        kept = program.compile()
        done.append(Compiled(program.name, time.perf_counter() - began, kept))
    began = time.perf_counter()
    if hasattr(job, "check") and job.check():
        done.append(Compiled("checks", time.perf_counter() - began, True))
    return done


def lowered(
    job: Any, *platforms: str, machine: Any = None
) -> dict[str, jax.export.Exported]:
    """The programs of a job, lowered for platforms that need not be here.

    What runs on a device is decided here by its platform alone, so that this says
    whether a job has a program there, and what it is; not how fast it is.

    Args:
      job: protect, revert, evaluate, certify with a model at hand, or a training.
      *platforms: some of cpu, cuda, rocm, tpu. Sizes of blocks suit the first.
      machine: default that of the job.

    Returns:
      By name, what `jax.export` makes of each program.

    Example:
      found = jobs.lowered(jobs.Protect(...), "cuda")
      print(found["protect"].mlir_module())
    """
    for platform in platforms:
        if platform not in PLATFORMS:
            raise InputError(
                f"platform {platform!r}: expected one of {', '.join(PLATFORMS)}"
            )
    with drive.sizes_for(platforms[0]):
        programs = job.programs(machine)
    return {program.name: program.exported(*platforms) for program in programs}
