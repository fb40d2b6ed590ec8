"""Jobs: frozen values that name all that decides a result, and `run` it.

    from mspd_jax import jobs
    job = jobs.Protect(source="digits:test", surrogate="CKPT", eps=0.1)
    result = job.run("OUT")

What does not decide the result (batch size, blocks) is a `Machine`. The flags of the
mains, run.json and the identity of a run are derived from the fields.
"""

from mspd_jax.jobs._certification import (
    NoiseRecord,
    NoiseSummary,
    PatchRecord,
    PatchSummary,
)
from mspd_jax.jobs._certify import Certify
from mspd_jax.jobs._certify_methods import (
    Asking,
    CertifyMachine,
    Denoised,
    Minority,
    PatchAttacks,
    PatchCleanser,
    ScaleCert,
    Smoothing,
)
from mspd_jax.jobs._convert import Convert, Converted
from mspd_jax.jobs._evaluate import Evaluate
from mspd_jax.jobs._evaluate_grid import Cell, EvaluateGrid
from mspd_jax.jobs._evaluation import EvaluateRecord, EvaluateSummary
from mspd_jax.jobs._grid import grid
from mspd_jax.jobs._identity import choice_name, fields_of, identity, job_name
from mspd_jax.jobs._machine import ChunkedMachine, FilesMachine, Machine
from mspd_jax.jobs._option import Option, choices_of, groups_of, option, options_of
from mspd_jax.jobs._preemptive import ProtectRecord, ProtectSummary
from mspd_jax.jobs._protect import Protect
from mspd_jax.jobs._quickstart import Quickstart, Story
from mspd_jax.jobs._report import Report
from mspd_jax.jobs._result import Result
from mspd_jax.jobs._revert import Revert
from mspd_jax.jobs._train_classifier import (
    TrainClassifier,
    TrainClassifierRecord,
    TrainClassifierSummary,
)
from mspd_jax.jobs._train_denoiser import (
    TrainDenoiser,
    TrainDenoiserRecord,
    TrainDenoiserSummary,
)
from mspd_jax.jobs._train_trn import TrainTRN, TrainTRNRecord, TrainTRNSummary
from mspd_jax.jobs._training_fields import TrainingMachine

__all__ = [
    "Asking",
    "Cell",
    "Certify",
    "CertifyMachine",
    "ChunkedMachine",
    "Convert",
    "Converted",
    "Denoised",
    "Evaluate",
    "EvaluateGrid",
    "EvaluateRecord",
    "EvaluateSummary",
    "FilesMachine",
    "Machine",
    "Minority",
    "NoiseRecord",
    "NoiseSummary",
    "Option",
    "PatchAttacks",
    "PatchCleanser",
    "PatchRecord",
    "PatchSummary",
    "Protect",
    "ProtectRecord",
    "ProtectSummary",
    "Quickstart",
    "Report",
    "Result",
    "Revert",
    "ScaleCert",
    "Smoothing",
    "Story",
    "TrainClassifier",
    "TrainClassifierRecord",
    "TrainClassifierSummary",
    "TrainDenoiser",
    "TrainDenoiserRecord",
    "TrainDenoiserSummary",
    "TrainTRN",
    "TrainTRNRecord",
    "TrainTRNSummary",
    "TrainingMachine",
    "choice_name",
    "choices_of",
    "fields_of",
    "grid",
    "groups_of",
    "identity",
    "job_name",
    "option",
    "options_of",
]
