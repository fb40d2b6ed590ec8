"""Protecting images before they are released (MSPD, arXiv 2407.15524)."""

import dataclasses
import functools
import pathlib
from typing import Any

from mspd_jax import preempt
from mspd_jax.errors import InputError
from mspd_jax.jobs._frame import Kinds, run_over_images
from mspd_jax.jobs._identity import plain
from mspd_jax.jobs._machine import ChunkedMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._preemptive import (
    Inputs,
    Preemptive,
    ProtectRecord,
    ProtectSummary,
    bilevel_method,
    cascade_method,
    images_per_program,
    load_inputs,
    totals,
    write_image,
)
from mspd_jax.jobs._result import Result

KINDS = Kinds(ProtectSummary, ProtectRecord)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protect(Preemptive):
    """Protects the images of a source; see `run`.

    Example:
      job = jobs.Protect(
          source="folder:PHOTOS", surrogate="cifar10_resnet20_robust", eps=8 / 255
      )
      result = job.run("OUT")
      print(result.summary.linf_max, result.records[0].file)
    """

    method: str = option(
        "mspd",
        help="mspd, or the slow bi-level baseline (arXiv 2112.05634) for comparison",
        choices=("mspd", "bilevel"),
    )

    def run(
        self, out: str | pathlib.Path, machine: ChunkedMachine | None = None
    ) -> Result:
        """Writes every protected image as an 8-bit PNG into OUT/images.

        The same call goes on where it was interrupted. Each file lies in the eps ball
        around its source image.

        Returns:
          A `Result` of `ProtectSummary` and `ProtectRecord`s.
        """
        return protected(self, out, machine, preempt.protect, preempt.bilevel)


def protected(
    job, out, machine, cascade, bilevel, *, more=None, summarize_more=None
) -> Result:
    """Runs a protection or a reversion.

    more: (folder, image, fields of its record) -> further fields. summarize_more:
    records -> further totals.
    """
    machine = machine or job.MACHINE
    inputs = load_inputs(job)
    block, chunk = images_per_program(job, inputs, machine)
    more = more(inputs.source) if more else None
    write = functools.partial(write_image, eps=inputs.eps, norm=job.norm)

    def describe(folder, record, result):
        fields = write(folder, record, result)
        return fields | (more(folder, record, fields) if more else {})

    def summarize(records):
        found = totals(records, labeler=plain(job.labeler))
        return found | (summarize_more(records) if summarize_more else {})

    return run_over_images(
        job,
        out,
        machine,
        predict=inputs.surrogate.predict,
        method=_method(job, inputs, chunk, cascade, bilevel),
        source=inputs.source,
        describe=describe,
        summarize=summarize,
        used=inputs.used,
        kinds=KINDS,
        block=block,
        chunk=chunk,
    )


def _method(job: Any, inputs: Inputs, chunk: int, cascade, bilevel):
    if job.method == "mspd":
        return cascade_method(cascade, job, inputs, chunk)
    if job.norm != "linf":
        raise InputError("`method`=bilevel is defined for `norm`=linf alone")
    return bilevel_method(bilevel, inputs)
