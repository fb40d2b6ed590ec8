"""Training of classifiers and denoisers: objectives, the step, the run on disk.

`fit` trains in memory; `run_training` takes the same steps of a `TrainingPlan`, with
checkpoints and a log.
"""

from mspd_jax.train._augment import add_noise, augmentation
from mspd_jax.train._denoise import DENOISER_OBJECTIVES, denoiser_objective
from mspd_jax.train._examples import Examples, load_examples, open_sources
from mspd_jax.train._fit import fit, train_steps
from mspd_jax.train._mix import MIXED, make_mix
from mspd_jax.train._objective import OBJECTIVES, Objective, objective, trades
from mspd_jax.train._occlusion import occluded_objective
from mspd_jax.train._optimizer import (
    OPTIMIZERS,
    SCHEDULES,
    learning_rate_schedule,
    optimizer,
)
from mspd_jax.train._plan import TrainingConfig, TrainingPlan, plan_spec, plan_training
from mspd_jax.train._restoration import restoration_objective
from mspd_jax.train._run import Trained, run_training
from mspd_jax.train._start import check_classifier, start_of
from mspd_jax.train._step import trained_model

__all__ = [
    "DENOISER_OBJECTIVES",
    "MIXED",
    "OBJECTIVES",
    "OPTIMIZERS",
    "SCHEDULES",
    "Examples",
    "Objective",
    "Trained",
    "TrainingConfig",
    "TrainingPlan",
    "add_noise",
    "augmentation",
    "check_classifier",
    "denoiser_objective",
    "fit",
    "learning_rate_schedule",
    "load_examples",
    "make_mix",
    "objective",
    "occluded_objective",
    "open_sources",
    "optimizer",
    "plan_spec",
    "plan_training",
    "restoration_objective",
    "run_training",
    "start_of",
    "trades",
    "train_steps",
    "trained_model",
]
