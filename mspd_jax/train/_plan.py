"""A whole training from what a user gives: checked before anything is written."""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from mspd_jax.data import Source, check_compatible
from mspd_jax.errors import InputError
from mspd_jax.models import Model, ModelSpec, gives_images
from mspd_jax.train._examples import Examples
from mspd_jax.train._fit import first_state, steps_per_epoch, train_steps
from mspd_jax.train._objective import Objective, objective
from mspd_jax.train._optimizer import learning_rate_schedule
from mspd_jax.train._optimizer import optimizer as optimizer_by_name
from mspd_jax.train._run import Trained, run_training
from mspd_jax.train._start import augmentation_of, start_of


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


def make_plan(
    examples: Examples,
    judged: Source | None,
    *,
    init: str | None,
    arch: str | None,
    arch_options: str,
    adversarial: str,
    eps: float | None,
    norm: str,
    attack_steps: int | None,
    step_size: float | None,
    beta: float,
    noise: float,
    augment: str,
    label_smoothing: float,
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
) -> Plan:
    """Builds a plan from values as the flags of train_classifier give them.

    Raises InputError for whatever cannot be used. judged: where the model will be
    measured, if anywhere: it must fit. init: a checkpoint, arch_options:
    JSON, augment: "auto", "none" or a list of crop and flip.
    """
    if noise and adversarial != "none":
        raise InputError(
            f"--noise={noise} with --adversarial={adversarial}: an adversary needs "
            "images in [0, 1]; choose one of the two"
        )
    try:
        rate = rate_of(
            examples,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            learning_rate=learning_rate,
            warmup_epochs=warmup_epochs,
        )
        lowered = objective(
            adversarial,
            eps=eps,
            norm=norm,
            steps=attack_steps,
            step_size=step_size,
            beta=beta,
            smoothing=label_smoothing,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    start = start_of(examples, init=init, arch=arch, arch_options=arch_options)
    spec = start.spec if isinstance(start, Model) else start
    if gives_images(spec):
        raise InputError(f"a {spec.architecture} is a denoiser, not a classifier")
    if judged is not None:
        check_compatible(
            judged, image_shape=spec.image_shape, num_classes=spec.num_classes
        )
    return Plan(
        key=jax.random.key(seed),
        start=start,
        objective=lowered,
        optimizer=optimizer_by_name(
            optimizer, learning_rate=rate, weight_decay=weight_decay, clip=clip
        ),
        schedule=rate,
        augment=augmentation_of(augment, examples, noise=noise),
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


def rate_of(
    examples: Examples,
    *,
    epochs: int,
    batch_size: int,
    schedule: str,
    learning_rate: float,
    warmup_epochs: float,
) -> optax.Schedule:
    """The learning rate over all steps; ValueError if the batch does not suit."""
    per_epoch = steps_per_epoch(
        len(examples.labels), batch_size=batch_size, devices=jax.device_count()
    )
    steps = epochs * per_epoch
    return learning_rate_schedule(
        schedule,
        peak=learning_rate,
        steps=steps,
        warmup_steps=min(int(warmup_epochs * per_epoch), steps // 2),
    )


def plan_spec(plan: Plan) -> ModelSpec:
    """The specification of the model that the plan trains."""
    return plan.start.spec if isinstance(plan.start, Model) else plan.start
