"""Training of classifiers and denoisers: objectives, the step, the run on disk.

`fit` trains in memory; `run_training` wraps the same steps with checkpoints and a log.
"""

from mspd_jax.train._adversary import (
    fast_adversary,
    kl_adversary,
    kl_divergence,
    pgd_adversary,
)
from mspd_jax.train._augment import (
    add_noise,
    augment,
    augmentation,
    hide_window,
    random_crop,
    random_flip,
)
from mspd_jax.train._checkpoint import open_checkpoints, restore_state, save_state
from mspd_jax.train._classifier_plan import make_plan
from mspd_jax.train._denoise import DENOISER_OBJECTIVES, denoiser_objective
from mspd_jax.train._denoiser_final import denoiser_records, denoiser_summary
from mspd_jax.train._denoiser_plan import make_denoiser_plan
from mspd_jax.train._examples import Examples, load_examples, open_sources
from mspd_jax.train._final import final_records, final_summary, save_trained
from mspd_jax.train._fit import Progress, first_state, fit, steps_per_epoch, train_steps
from mspd_jax.train._mix import MIXED, Mix, make_mix, mixed_adversary
from mspd_jax.train._objective import OBJECTIVES, Objective, Signals, objective
from mspd_jax.train._occlusion import occluded_objective
from mspd_jax.train._optimizer import (
    OPTIMIZERS,
    SCHEDULES,
    learning_rate_schedule,
    optimizer,
)
from mspd_jax.train._order import batch_positions, epoch_order
from mspd_jax.train._plan import Plan, plan_spec, plan_training, run_plan
from mspd_jax.train._restoration import restoration_objective
from mspd_jax.train._restoration_final import (
    restoration_records,
    restoration_summary,
)
from mspd_jax.train._restoration_plan import (
    make_restoration_plan,
    restoration_origin,
)
from mspd_jax.train._run import Trained, run_training
from mspd_jax.train._start import check_start, fresh_spec
from mspd_jax.train._step import (
    Batch,
    Signal,
    TrainState,
    example_keys,
    initial_state,
    train_step,
    trained_model,
)

__all__ = [
    "DENOISER_OBJECTIVES",
    "MIXED",
    "Mix",
    "OBJECTIVES",
    "OPTIMIZERS",
    "SCHEDULES",
    "Batch",
    "Examples",
    "Objective",
    "Plan",
    "Progress",
    "Signal",
    "Signals",
    "TrainState",
    "Trained",
    "add_noise",
    "augment",
    "augmentation",
    "batch_positions",
    "check_start",
    "denoiser_objective",
    "denoiser_records",
    "denoiser_summary",
    "epoch_order",
    "example_keys",
    "fast_adversary",
    "final_records",
    "final_summary",
    "first_state",
    "fit",
    "fresh_spec",
    "hide_window",
    "initial_state",
    "kl_adversary",
    "kl_divergence",
    "learning_rate_schedule",
    "load_examples",
    "make_denoiser_plan",
    "make_mix",
    "make_plan",
    "make_restoration_plan",
    "mixed_adversary",
    "objective",
    "occluded_objective",
    "open_checkpoints",
    "open_sources",
    "optimizer",
    "pgd_adversary",
    "plan_spec",
    "plan_training",
    "random_crop",
    "random_flip",
    "restoration_objective",
    "restoration_origin",
    "restoration_records",
    "restoration_summary",
    "restore_state",
    "run_plan",
    "run_training",
    "save_state",
    "save_trained",
    "steps_per_epoch",
    "train_step",
    "train_steps",
    "trained_model",
]
