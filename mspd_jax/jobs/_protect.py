"""Protecting images before they are released (MSPD, arXiv 2407.15524)."""

import dataclasses
import pathlib

from mspd_jax import drive, preempt
from mspd_jax.jobs._machine import ChunkedMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._preemptive import Preemptive, preemptive_work
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._work import Work, programs_of, run_work


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
        self, out: str | pathlib.PurePath, machine: ChunkedMachine | None = None
    ) -> Result:
        """Writes every protected image with 8 bits into OUT/images, by `format`.

        The same call goes on where it was interrupted. Each file lies in the eps ball
        around its source image.

        Returns:
          A `Result` of `ProtectSummary` and `ProtectRecord`s.
        """
        machine = machine or self.MACHINE
        return run_work(self, out, machine, self._work(out, machine))

    def programs(self, machine: ChunkedMachine | None = None) -> list[drive.Program]:
        """The programs that `run` has compiled."""
        return programs_of(self, self._work("", machine or self.MACHINE))

    def _work(self, out: str | pathlib.PurePath, machine: ChunkedMachine) -> Work:
        functions = {"mspd": preempt.protect, "bilevel": preempt.bilevel}
        return preemptive_work(self, out, machine, functions)
