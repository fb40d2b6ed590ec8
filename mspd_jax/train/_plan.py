"""A whole training as a value: what is trained and how, checked before it runs."""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from mspd_jax.data import Source, check_compatible
from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec
from mspd_jax.streams import run_key, stream
from mspd_jax.train._examples import Examples
from mspd_jax.train._fit import first_state, steps_per_epoch, train_steps
from mspd_jax.train._objective import Objective
from mspd_jax.train._optimizer import learning_rate_schedule
from mspd_jax.train._optimizer import optimizer as optimizer_by_name
from mspd_jax.train._run import Trained, run_training
from mspd_jax.train._start import augmentation_of


class Plan(NamedTuple):
    """Everything that decides what is trained, but the examples.

    key: of the run. start: where from. The rest: as `fit` takes it; `schedule` is the
    optimizer's learning rate.
    """

    key: jax.Array
    start: ModelSpec | Model
    objective: Objective
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    augment: Callable | None
    ema: float | None
    epochs: int
    batch_size: int


def plan_training(
    examples: Examples,
    judged: Source | None,
    start: ModelSpec | Model,
    lowered: Objective,
    *,
    num_classes: int | None,
    augment: str,
    epochs: int,
    batch_size: int,
    optimizer: str,
    learning_rate: float,
    weight_decay: float,
    schedule: str,
    warmup_epochs: float,
    clip: float | None,
    ema: float | None,
    seed: int,
    hide: int = 0,
    noise: float = 0.0,
) -> Plan:
    """A plan from where it starts, what it lowers, and values as flags give them.

    judged: where the model will be measured, if anywhere: it must fit, with
    `num_classes` classes if they matter. augment: "auto", "none" or a list of crop and
    flip; hide: side of a window that is hidden in each image; noise: its standard
    deviation. Raises InputError for whatever cannot be used.
    """
    if judged is not None:
        shape = _spec_of(start).image_shape
        check_compatible(judged, image_shape=shape, num_classes=num_classes)
    try:
        per_epoch = steps_per_epoch(
            len(examples.labels), batch_size=batch_size, devices=jax.device_count()
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    steps = epochs * per_epoch
    rate = learning_rate_schedule(
        schedule,
        peak=learning_rate,
        steps=steps,
        warmup_steps=min(int(warmup_epochs * per_epoch), steps // 2),
    )
    return Plan(
        key=run_key(seed),
        start=start,
        objective=lowered,
        optimizer=optimizer_by_name(
            optimizer, learning_rate=rate, weight_decay=weight_decay, clip=clip
        ),
        schedule=rate,
        augment=augmentation_of(augment, examples, hide=hide, noise=noise),
        ema=ema,
        epochs=epochs,
        batch_size=batch_size,
    )


def run_plan(
    folder: pathlib.Path,
    plan: Plan,
    examples: Examples,
    *,
    checkpoint_every: int | None = None,
    hidden: bool = False,
) -> Trained:
    """`run_training` of a plan; goes on from the checkpoints in the folder."""
    steps = functools.partial(
        train_steps,
        plan.key,
        plan.start,
        examples.images,
        examples.labels,
        indices=examples.indices,
        objective=plan.objective,
        optimizer=plan.optimizer,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        augment=plan.augment,
        ema=plan.ema,
    )
    return run_training(
        folder,
        lambda state: steps(state=state),
        first_state(plan.key, plan.start, plan.optimizer, ema=plan.ema),
        batch_size=plan.batch_size,
        schedule=plan.schedule,
        checkpoint_every=checkpoint_every,
        hidden=hidden,
    )


def measuring_key(plan: Plan) -> jax.Array:
    """What the measuring of the trained model draws from."""
    return stream(plan.key, "measure")


def plan_spec(plan: Plan) -> ModelSpec:
    """The specification of the model that the plan trains."""
    return _spec_of(plan.start)


def _spec_of(start: ModelSpec | Model) -> ModelSpec:
    return start.spec if isinstance(start, Model) else start
