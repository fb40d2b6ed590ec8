"""Training of classifiers and denoisers: objectives, the step, the run on disk.

`fit` trains in memory; `run_training` takes the same steps of a `TrainingPlan`, with
checkpoints and a log.
"""

from mspd_jax.train._augment import add_noise as add_noise
from mspd_jax.train._augment import augmentation
from mspd_jax.train._denoise import DENOISER_OBJECTIVES as DENOISER_OBJECTIVES
from mspd_jax.train._denoise import denoiser_objective
from mspd_jax.train._diffusion import diffusion_objective
from mspd_jax.train._examples import Examples as Examples
from mspd_jax.train._examples import load_examples as load_examples
from mspd_jax.train._examples import open_sources as open_sources
from mspd_jax.train._fit import first_state as first_state
from mspd_jax.train._fit import fit
from mspd_jax.train._fit import train_steps as train_steps
from mspd_jax.train._mix import MIXED as MIXED
from mspd_jax.train._mix import make_mix as make_mix
from mspd_jax.train._objective import OBJECTIVES as OBJECTIVES
from mspd_jax.train._objective import Objective as Objective
from mspd_jax.train._objective import objective, trades
from mspd_jax.train._occlusion import occluded_objective
from mspd_jax.train._optimizer import OPTIMIZERS as OPTIMIZERS
from mspd_jax.train._optimizer import SCHEDULES as SCHEDULES
from mspd_jax.train._optimizer import learning_rate_schedule, optimizer
from mspd_jax.train._plan import TrainingPlan as TrainingPlan
from mspd_jax.train._plan import plan_training as plan_training
from mspd_jax.train._plan import spec_of as spec_of
from mspd_jax.train._programs import training_programs as training_programs
from mspd_jax.train._restoration import ATTACKERS as ATTACKERS
from mspd_jax.train._restoration import restoration_objective as restoration_objective
from mspd_jax.train._run import run_training as run_training
from mspd_jax.train._start import check_classifier as check_classifier
from mspd_jax.train._start import start_of as start_of
from mspd_jax.train._step import trained_model as trained_model

# What users call; other rooms may import the rest.
__all__ = [
    "augmentation",
    "denoiser_objective",
    "diffusion_objective",
    "fit",
    "learning_rate_schedule",
    "objective",
    "occluded_objective",
    "optimizer",
    "trades",
]
