"""The programs of jobs: for accelerators that are not here."""

from typing import Any

import jax.export

from mspd_jax import drive
from mspd_jax.errors import InputError

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


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
