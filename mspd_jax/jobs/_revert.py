"""Undoing a protection: Preemptive Reversion, the white-box diagnostic."""

import dataclasses
import pathlib

import numpy as np

from mspd_jax import data, drive, preempt
from mspd_jax.attacks import fixed
from mspd_jax.errors import InputError
from mspd_jax.jobs._machine import ChunkedMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._preemptive import Preemptive, preemptive_work
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import SourceInput, opened
from mspd_jax.jobs._work import Work, programs_of, run_work


@dataclasses.dataclass(frozen=True, kw_only=True)
class Revert(Preemptive):
    """Reverts protected images with all that the attacker may know but the key.

    Example:
      jobs.Revert(source="folder:OUT", surrogate="CKPT", eps=8 / 255).run("REVERTED")
    """

    method: str = option(
        "mspd",
        help="which protection is to be undone: the attack is its own",
        choices=("mspd", "bilevel"),
    )
    rounds: int = option(
        1,
        help="1 is the attack of the paper; more look for the image that protection "
        "turns into the protected one, each at its cost (10 do well)",
        lower=1,
        later=True,
    )
    original: SourceInput | None = option(
        None,
        help="source of the unprotected images, to report how far from them the "
        "reverted ones are (the attacker does not see them)",
    )

    def run(
        self, out: str | pathlib.PurePath, machine: ChunkedMachine | None = None
    ) -> Result:
        """Writes every reverted image with 8 bits into OUT/images, by `format`.

        Returns:
          A `Result` of `ProtectSummary` and `ProtectRecord`s.
        """
        machine = machine or self.MACHINE
        return run_work(self, out, machine, self._work(out, machine))

    def programs(self, machine: ChunkedMachine | None = None) -> list[drive.Program]:
        """The programs that `run` has compiled."""
        return programs_of(self, self._work("", machine or self.MACHINE))

    def _work(self, out: str | pathlib.PurePath, machine: ChunkedMachine) -> Work:
        if self.rounds > 1 and self.method != "mspd":
            raise InputError(
                f"`rounds`={self.rounds} goes with `method`=mspd, whose reversion has "
                "rounds"
            )
        revert = fixed(preempt.revert, rounds=self.rounds)
        functions = {"mspd": revert, "bilevel": preempt.bilevel_reconstruct}
        measure = None if self.original is None else self._to_original
        return preemptive_work(self, out, machine, functions, measure=measure)

    def _to_original(self, source: data.Source):
        """Measures the distance of a reverted file to the original of its index."""
        assert self.original is not None
        original = opened(self.original, data_dir=self.data_dir)
        missing = np.setdiff1d(source.indices, original.indices)
        if missing.size:
            raise InputError(
                f"`original`={original.spec} has no image of index {missing[0]}, which "
                f"`source`={source.spec} holds"
            )

        def measure(record: data.Record, reverted: np.ndarray) -> dict:
            place = int(np.searchsorted(original.indices, record.index))
            change = np.abs(reverted - original.read(place).image).max()
            return {"linf_to_original": round(float(change), 6)}

        return measure
