"""Certifying a classifier: under noise, or against patches."""

import dataclasses
import pathlib
from typing import ClassVar

from mspd_jax import data, drive
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_methods import (
    CertifyMachine,
    Denoised,
    Minority,
    PatchCleanser,
    ScaleCert,
    Smoothing,
)
from mspd_jax.jobs._certify_noise import noise_work
from mspd_jax.jobs._certify_patches import patch_work
from mspd_jax.jobs._certify_queries import certify_queries
from mspd_jax.jobs._foreign import MODEL_NAMES
from mspd_jax.jobs._images import Shardable
from mspd_jax.jobs._option import option
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._values import ModelInput, opened
from mspd_jax.jobs._work import Work, programs_of, run_work


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certify(Shardable):
    """Certificates of a classifier, by one of the methods; see `run`.

    Example:
      result = jobs.Certify(
          target="CKPT", source="digits:test", method=jobs.Smoothing(sigma=0.25)
      ).run("OUT")
      print(result.summary.certified["0.25"], result.records[0].radius)

    `target` may be any function from one image [H, W, C] to its logits. A classifier
    that can only be asked is part of the method: `jobs.Asking`.
    """

    MACHINE: ClassVar[CertifyMachine] = CertifyMachine(batch_size=1, block=1)

    target: ModelInput | None = option(
        None,
        help=f"the model that is certified: {MODEL_NAMES}",
    )
    method: Smoothing | Denoised | ScaleCert | Minority | PatchCleanser = option(
        help="under noise, smoothing: the classifier as it is; denoised: behind "
        "--denoiser; against a patch, scalecert: windows over important neurons; "
        "minority: over pixels (Minority Reports); patchcleanser: pairs of windows, "
        "the class is recovered",
        example="smoothing",
    )
    every: int = option(1, help="certify every EVERY-th image only", lower=1)

    def run(
        self, out: str | pathlib.PurePath, machine: CertifyMachine | None = None
    ) -> Result:
        """Certifies every image; the same call goes on where it was interrupted.

        Under noise, each image gets a class and an l2 radius, wrong with probability at
        most alpha, or an abstention. Against patches, it gets a class, perhaps an
        alert, and is certified if no patch can bring about another class without an
        alert.

        Returns:
          A `Result` of `NoiseSummary` and `NoiseRecord`s, or of `PatchSummary` and
          `PatchRecord`s.
        """
        machine = machine or self.MACHINE
        source, work = self._checked(machine)
        if work is None:
            return certify_queries(self, out, machine, source)
        return run_work(self, out, machine, work)

    def programs(self, machine: CertifyMachine | None = None) -> list[drive.Program]:
        """The programs that `run` has compiled; InputError for what is only asked."""
        work = self._checked(machine or self.MACHINE)[1]
        if work is None:
            raise InputError("`query`: a classifier that is asked is not compiled")
        return programs_of(self, work)

    def _checked(self, machine: CertifyMachine) -> tuple[data.Source, Work | None]:
        """The images, and what is done with them; None where a classifier is asked."""
        method, asking = self.method, getattr(self.method, "asking", None)
        for name in ("offline", "query_log"):
            if asking is None and getattr(machine, name):
                raise InputError(f"`{name}` goes with `query` alone")
        source = opened(
            self.source,
            data_dir=self.data_dir,
            limit=self.limit,
            every=self.every,
            shard=self.shard,
        )
        if isinstance(method, Minority | PatchCleanser):  # a ScaleCert is a Minority
            if self.target is None:
                raise InputError("name the classifier with `target`")
            return source, patch_work(self, machine, source)
        if (self.target is None) == (asking is None):
            raise InputError("name the classifier with `target`, or with `query`")
        work = noise_work(self, machine, source) if asking is None else None
        return source, work
