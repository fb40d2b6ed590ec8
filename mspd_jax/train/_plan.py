"""A whole training as a value: what is trained and how, checked before it runs."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from mspd_jax import drive
from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec
from mspd_jax.streams import run_key
from mspd_jax.train._examples import Examples
from mspd_jax.train._objective import Objective
from mspd_jax.train._optimizer import learning_rate_schedule
from mspd_jax.train._optimizer import optimizer as optimizer_by_name
from mspd_jax.train._order import steps_per_epoch
from mspd_jax.train._start import augmentation_of, spec_of


class TrainingConfig(NamedTuple):
    """How to train, whatever is trained and on whatever examples.

    Attributes:
      epochs: passes over the examples.
      batch_size: images per step, over all devices.
      learning_rate: its highest value.
      optimizer, weight_decay, clip: see `optimizer`.
      schedule: see `learning_rate_schedule`.
      warmup_epochs: epochs of linear warm-up, half of the training at most.
      ema: decay of an average of the weights that is kept in their place, or None.
      augment: "auto" (crop and flip for color images), "none", or some of "crop,flip".
      hide: side of a window that is hidden in each image, 0 for none.
      noise: standard deviation of Gaussian noise on the images.
      seed: of all randomness.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "sgd"
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    clip: float | None = None
    ema: float | None = None
    augment: str = "auto"
    hide: int = 0
    noise: float = 0.0
    seed: int = 0


class TrainingPlan(NamedTuple):
    """Everything that decides what is trained, but the examples.

    Attributes:
      key: of the run, whose streams are "model", "order" and "examples".
      start: a Model to go on from, or a ModelSpec for random weights.
      objective: see `objective`.
      optimizer: see `optimizer`, or any of optax.
      epochs: passes over the examples.
      batch_size: images per step, over all devices.
      augment: (key, image) -> image, per example, see `augmentation`; None for none.
      ema: decay of the average of the weights that is returned, or None.
      schedule: the learning rate by step, for the log; None if it is not known.
    """

    key: jax.Array
    start: ModelSpec | Model
    objective: Objective
    optimizer: optax.GradientTransformation
    epochs: int
    batch_size: int
    augment: Callable | None = None
    ema: float | None = None
    schedule: optax.Schedule | None = None


def plan_training(
    examples: Examples,
    start: ModelSpec | Model,
    objective: Objective,
    config: TrainingConfig,
) -> TrainingPlan:
    """A plan for these examples.

    Args:
      examples: what is to be trained on; their number and shape matter.
      start: a Model to go on from, or a ModelSpec for random weights.
      objective: what is minimized.
      config: how.

    Returns:
      The plan, which `run_training` carries out. Raises InputError for whatever cannot
      be used.
    """
    try:
        per_epoch = steps_per_epoch(
            len(examples.labels),
            batch_size=config.batch_size,
            devices=drive.here().devices,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    steps = config.epochs * per_epoch
    rate = learning_rate_schedule(
        config.schedule,
        peak=config.learning_rate,
        steps=steps,
        warmup_steps=min(int(config.warmup_epochs * per_epoch), steps // 2),
    )
    return TrainingPlan(
        key=run_key(config.seed),
        start=start,
        objective=objective,
        optimizer=optimizer_by_name(
            config.optimizer,
            learning_rate=rate,
            weight_decay=config.weight_decay,
            clip=config.clip,
        ),
        epochs=config.epochs,
        batch_size=config.batch_size,
        augment=augmentation_of(
            config.augment, examples, hide=config.hide, noise=config.noise
        ),
        ema=config.ema,
        schedule=rate,
    )


def plan_spec(plan: TrainingPlan) -> ModelSpec:
    """The specification of the model that the plan trains."""
    return spec_of(plan.start)
