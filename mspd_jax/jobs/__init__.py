"""Jobs: frozen values that name all that decides a result, and `run` it.

    from mspd_jax import jobs
    job = jobs.Protect(source="digits:test", surrogate="CKPT", eps=0.1)
    result = job.run("OUT")

What does not decide the result (batch size, blocks) is a `Machine`. The flags of the
mains, run.json and the identity of a run are derived from the fields.
"""

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
from mspd_jax.jobs._certify_noise import NoiseRecord as NoiseRecord
from mspd_jax.jobs._certify_noise import NoiseSummary as NoiseSummary
from mspd_jax.jobs._certify_patches import PatchRecord as PatchRecord
from mspd_jax.jobs._certify_patches import PatchSummary as PatchSummary
from mspd_jax.jobs._convert import Convert
from mspd_jax.jobs._convert import Converted as Converted
from mspd_jax.jobs._evaluate import Evaluate
from mspd_jax.jobs._evaluate_grid import Cell as Cell
from mspd_jax.jobs._evaluate_grid import EvaluateGrid, grid
from mspd_jax.jobs._evaluation import EvaluateRecord as EvaluateRecord
from mspd_jax.jobs._evaluation import EvaluateSummary as EvaluateSummary
from mspd_jax.jobs._from_fields import job_of as job_of
from mspd_jax.jobs._identity import choice_name as choice_name
from mspd_jax.jobs._identity import fields_of as fields_of
from mspd_jax.jobs._identity import identity as identity
from mspd_jax.jobs._identity import job_name as job_name
from mspd_jax.jobs._list_published import ListPublished
from mspd_jax.jobs._machine import ChunkedMachine, Machine
from mspd_jax.jobs._option import Option as Option
from mspd_jax.jobs._option import all_options as all_options
from mspd_jax.jobs._option import choices_of as choices_of
from mspd_jax.jobs._option import groups_of as groups_of
from mspd_jax.jobs._option import option as option
from mspd_jax.jobs._option import options_of as options_of
from mspd_jax.jobs._option import single_choices_of as single_choices_of
from mspd_jax.jobs._preemptive import ProtectRecord as ProtectRecord
from mspd_jax.jobs._preemptive import ProtectSummary as ProtectSummary
from mspd_jax.jobs._preview import Preview as Preview
from mspd_jax.jobs._programs import Compiled as Compiled
from mspd_jax.jobs._programs import compiled, lowered
from mspd_jax.jobs._protect import Protect
from mspd_jax.jobs._protect_pictures import PictureRecord as PictureRecord
from mspd_jax.jobs._protect_pictures import PicturesSummary as PicturesSummary
from mspd_jax.jobs._protect_pictures import ProtectPictures
from mspd_jax.jobs._quickstart import Quickstart
from mspd_jax.jobs._quickstart import Story as Story
from mspd_jax.jobs._report import Report
from mspd_jax.jobs._result import Result as Result
from mspd_jax.jobs._revert import Revert
from mspd_jax.jobs._survive import SURVIVE_FORMS as SURVIVE_FORMS
from mspd_jax.jobs._train_classifier import TrainClassifier
from mspd_jax.jobs._train_denoiser import TrainDenoiser
from mspd_jax.jobs._train_trn import TrainTRN
from mspd_jax.jobs._training import TrainingMachine
from mspd_jax.jobs._values import number_of as number_of
from mspd_jax.jobs._verify import Verified as Verified
from mspd_jax.jobs._verify import Verify
from mspd_jax.jobs.sweeps import Engine as Engine
from mspd_jax.jobs.sweeps import Sweep, SweepMachine, Swept, sweep
from mspd_jax.jobs.sweeps import jobs_meant as jobs_meant
from mspd_jax.jobs.sweeps import kind_of as kind_of

# What users call; other rooms may import the rest.
__all__ = [
    "Asking",
    "Certify",
    "CertifyMachine",
    "ChunkedMachine",
    "Convert",
    "Denoised",
    "Evaluate",
    "EvaluateGrid",
    "ListPublished",
    "Machine",
    "Minority",
    "PatchAttacks",
    "PatchCleanser",
    "Protect",
    "ProtectPictures",
    "Quickstart",
    "Report",
    "Revert",
    "ScaleCert",
    "Smoothing",
    "Sweep",
    "SweepMachine",
    "Swept",
    "TrainClassifier",
    "TrainDenoiser",
    "TrainTRN",
    "TrainingMachine",
    "Verify",
    "compiled",
    "grid",
    "lowered",
    "sweep",
]
