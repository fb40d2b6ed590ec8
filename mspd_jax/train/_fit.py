"""Training in memory: no files, no flags, no printing."""

import collections
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax

from mspd_jax import drive
from mspd_jax.models import Model, ModelSpec, create_model
from mspd_jax.streams import stream
from mspd_jax.train._objective import Objective
from mspd_jax.train._order import batch_positions, epoch_order, steps_per_epoch
from mspd_jax.train._plan import TrainingPlan, spec_of
from mspd_jax.train._replicas import compiled_step, optimizer_pytree
from mspd_jax.train._step import (
    Batch,
    Signal,
    TrainState,
    example_keys,
    initial_state,
    trained_model,
)


class Progress(NamedTuple):
    """Where training is after a step: how many of all `steps` are finished.

    signal: what the step before reported (device arrays, finished by now). state: () ->
    TrainState, a copy on the host; waits for the step to finish. Only valid until the
    next step is asked for.
    """

    step: int
    steps: int
    steps_per_epoch: int
    signal: Signal
    state: Callable[[], TrainState]


def fit(
    key: jax.Array,
    start: ModelSpec | Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    epochs: int,
    batch_size: int,
    augment: Callable | None = None,
    ema: float | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Model:
    """Trains a network in memory and returns it.

    The result is a pure function of the arguments: order, augmentation and attacks
    draw from streams of the key, folded by the epoch and the place of the example.

    Args:
      key: of the run.
      start: a Model to go on from, or a ModelSpec for random weights from `key`.
      images: uint8, or float32 in [0, 1], [n, H, W, C].
      labels: int [n].
      objective: see `objective`, `trades` and their kin.
      optimizer: see `optimizer`, or any of optax.
      epochs: passes over the images.
      batch_size: over all devices, at most n; every epoch leaves out n % batch_size
        examples, others each time.
      augment: (key, image) -> image, per example, see `augmentation`.
      ema: return the exponential average of the weights (0.99, say).
      devices: default all devices of all processes, each of which passes the same
        arrays.

    Returns:
      The trained model.

    Example:
      images, labels = data.load_arrays(data.open_source("digits:train"))
      spec = models.ModelSpec(
          "small_cnn", {"widths": [8, 16]}, (0.0,), (1.0,), 10, (8, 8, 1), {}
      )
      model = train.fit(
          jax.random.key(0), spec, images, labels, epochs=5, batch_size=64,
          objective=train.trades(eps=0.1),
          optimizer=train.optimizer("adamw", learning_rate=5e-3),
      )
    """
    plan = TrainingPlan(
        key, start, objective, optimizer, epochs, batch_size, augment, ema
    )
    steps = train_steps(plan, images, labels, devices=devices)
    last = collections.deque(steps, maxlen=1).pop()
    return trained_model(spec_of(plan.start), last.state())


def first_state(plan: TrainingPlan) -> TrainState:
    """The state that `train_steps` begins with."""
    model = plan.start
    if not isinstance(model, Model):
        model = create_model(stream(plan.key, "model"), model)
    return initial_state(model, plan.optimizer, ema=plan.ema)


def train_steps(
    plan: TrainingPlan,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    indices: np.ndarray | None = None,
    devices: Sequence[jax.Device] | None = None,
    state: TrainState | None = None,
) -> Iterator[Progress]:
    """The steps of a training, one by one.

    While the devices work on a step, the host gathers the next batch. images, labels,
    devices: as `fit` takes them. indices: what addresses the randomness of each
    example, int [n]; default its place. state: go on from here, as an earlier
    `Progress.state()` returned it: the steps that follow are those of an uninterrupted
    run.
    """
    devices = drive.chosen_devices(devices)
    if plan.epochs < 1:
        raise ValueError(f"`epochs`: expected at least 1, got {plan.epochs}")
    per_epoch = steps_per_epoch(
        len(labels), batch_size=plan.batch_size, devices=len(devices)
    )
    steps = plan.epochs * per_epoch
    if state is None:
        state = first_state(plan)
    done = int(state.step)
    run = compiled_step(spec_of(plan.start), ema=plan.ema, devices=devices)
    constant = np.int32(per_epoch), *traced_plan(plan)
    if isinstance(run, drive.Replicated):
        constant = run.placed(*constant, first=2)  # once, not in each step
    state = drive.place_copies(state, devices)
    batches = _batches(
        plan, (images, labels, indices), range(done, steps), devices=devices
    )
    batch, signal = next(batches, None), None
    while batch is not None:
        state, latest = run(state, batch, *constant)
        batch = next(batches, None)
        # One step may be under way while the caller looks at the one before it.
        signal = jax.block_until_ready(latest if signal is None else signal)
        done += 1
        yield Progress(
            done,
            steps,
            per_epoch,
            drive.any_scalar(signal),
            functools.partial(drive.host_copy, state, devices),
        )
        signal = latest


def traced_plan(plan: TrainingPlan) -> tuple:
    """What of a plan every step takes, as it takes it."""
    return plan.objective, plan.augment, optimizer_pytree(plan.optimizer)


def _batches(plan, examples, steps, *, devices) -> Iterator[Batch]:
    """This process's share of the batches of the steps."""
    order_key, example_key = stream(plan.key, "order"), stream(plan.key, "examples")
    images, labels, indices = examples
    share, shares = drive.process_share(devices)
    per_epoch, order = len(labels) // plan.batch_size, None
    for step in steps:
        epoch, within = divmod(step, per_epoch)
        if order is None or within == 0:
            order = epoch_order(order_key, epoch, len(labels))
        rows = batch_positions(
            order, within, batch_size=plan.batch_size, share=share, shares=shares
        )
        index = np.asarray(rows if indices is None else indices[rows], np.uint32)
        batch = Batch(
            example_keys(example_key, np.uint32(epoch), index),
            np.asarray(images[rows]),
            np.asarray(labels[rows], np.int32),
        )
        yield drive.place_shares(batch, devices)
