"""The programs of a training, apart from its run."""

from collections.abc import Sequence

import jax
import numpy as np

from mspd_jax import drive
from mspd_jax.train._examples import Examples
from mspd_jax.train._fit import first_state, traced_plan
from mspd_jax.train._plan import TrainingPlan, spec_of
from mspd_jax.train._replicas import compiled_step
from mspd_jax.train._step import Batch, TrainState, example_keys


def training_programs(
    plan: TrainingPlan,
    examples: Examples,
    *,
    state: TrainState | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> list[drive.Program]:
    """What `train_steps` has compiled for these examples.

    state: any of this plan, which saves making one. devices: as `train_steps` takes
    them.
    """
    devices = drive.chosen_devices(devices)
    rows = plan.batch_size // drive.process_share(devices)[1]
    images = np.zeros((rows, *examples.images.shape[1:]), examples.images.dtype)
    index = np.zeros(rows, np.uint32)
    drawing = (plan.key, np.uint32(0), index)
    batch = Batch(example_keys(*drawing), images, np.zeros(rows, np.int32))
    state = first_state(plan) if state is None else state
    arguments = (
        drive.place_copies(state, devices),
        drive.place_shares(batch, devices),
        np.int32(1),
        *traced_plan(plan),
    )
    step = compiled_step(spec_of(plan.start), ema=plan.ema, devices=devices)
    return [
        drive.Program("example_keys", example_keys, (), drawing),
        drive.called_program("train", step, arguments),
    ]
