"""A whole training as a value: what is trained and how, checked before it runs."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from mspd_jax import drive
from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec
from mspd_jax.streams import run_key
from mspd_jax.train._augment import augmentation
from mspd_jax.train._examples import Examples
from mspd_jax.train._objective import Objective
from mspd_jax.train._optimizer import learning_rate_schedule
from mspd_jax.train._optimizer import optimizer as optimizer_by_name
from mspd_jax.train._order import steps_per_epoch


class TrainingPlan(NamedTuple):
    """Everything that decides what is trained, but the examples.

    key (whose streams are "model", "order" and "examples") to ema: as `fit` takes them.
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
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    optimizer: str = "sgd",
    weight_decay: float = 0.0,
    schedule: str = "constant",
    warmup_epochs: float = 0.0,
    clip: float | None = None,
    ema: float | None = None,
    augment: str = "auto",
    hide: int = 0,
    hide_least: int | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> TrainingPlan:
    """A plan for these examples, whose number and shape matter.

    start, objective, epochs, batch_size, ema: as `fit` takes them. learning_rate: its
    highest value. optimizer, weight_decay, clip: see `optimizer`. schedule: see
    `learning_rate_schedule`. warmup_epochs: of linear warm-up, half of the training at
    most. augment: "auto" (crop and flip for color images), "none", or some of
    "crop,flip". hide: side of a window that is hidden in each image, 0 for none;
    hide_least: where each draws it, from there to `hide`. noise: standard deviation of
    Gaussian noise on the images. Raises InputError for whatever cannot be used.
    """
    per_epoch = steps_per_epoch(
        len(examples.labels), batch_size=batch_size, devices=drive.here().devices
    )
    steps = epochs * per_epoch
    rate = learning_rate_schedule(
        schedule,
        peak=learning_rate,
        steps=steps,
        warmup_steps=min(int(warmup_epochs * per_epoch), steps // 2),
    )
    return TrainingPlan(
        key=run_key(seed),
        start=start,
        objective=objective,
        optimizer=optimizer_by_name(
            optimizer, learning_rate=rate, weight_decay=weight_decay, clip=clip
        ),
        epochs=epochs,
        batch_size=batch_size,
        augment=_augmentation(
            augment, examples, hide=hide, hide_least=hide_least, noise=noise
        ),
        ema=ema,
        schedule=rate,
    )


def _augmentation(
    text: str, examples: Examples, *, hide: int, hide_least: int | None, noise: float
) -> Callable | None:
    height, width, channels = examples.images.shape[1:]
    chosen = set(text.split(","))
    if text == "auto":
        chosen = {"crop", "flip"} if channels == 3 else set()
    if text == "none":
        chosen = set()
    if chosen - {"crop", "flip"}:
        raise InputError(
            f"`augment`={text}: expected auto, none, crop, flip, crop,flip"
        )
    if not (chosen or noise or hide):
        return None
    return augmentation(
        pad=max(1, min(height, width) // 8) if "crop" in chosen else 0,
        flip="flip" in chosen,
        hide=hide,
        hide_least=hide_least,
        sigma=noise or None,
    )


def spec_of(start: ModelSpec | Model) -> ModelSpec:
    """The specification of what training starts from."""
    return start.spec if isinstance(start, Model) else start
