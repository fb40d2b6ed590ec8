"""What a job over images comes to: a method over a source, and what is kept of it."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

from mspd_jax import data, drive
from mspd_jax.jobs._frame import Kinds, run_over_images
from mspd_jax.jobs._identity import job_name
from mspd_jax.jobs._image_files import ImageFiles
from mspd_jax.jobs._machine import Machine
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import Loaded
from mspd_jax.streams import stream


class Work(NamedTuple):
    """The arguments of `run_over_images`, made from the fields of a job.

    image_shape: of the images of the source. chunk: what the machine's comes to.
    """

    predict: Callable
    method: Callable
    source: data.Source
    image_shape: tuple[int, int, int]
    describe: Callable[[data.Record, Any], dict]
    summarize: Callable[[list[dict]], dict]
    used: dict[str, Loaded]
    kinds: Kinds
    block: int
    chunk: int
    axis_name: str | None = None
    files: ImageFiles | None = None


def run_work(
    job: Any, out: str | pathlib.PurePath, machine: Machine, work: Work
) -> Result:
    """Does it, in the run folder `out`."""
    arguments = work._asdict()
    del arguments["image_shape"]
    return run_over_images(job, out, machine, **arguments)


def programs_of(job: Any, work: Work) -> list[drive.Program]:
    """The one program of the job."""
    name = job_name(type(job))
    return [
        drive.image_program(
            stream(job.seed, name),
            work.predict,
            work.method,
            name=name,
            image_shape=work.image_shape,
            block=work.block,
            axis_name=work.axis_name,
        )
    ]
