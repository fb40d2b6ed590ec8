"""Training in memory: no files, no flags, no printing."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax

from mspd_jax import drive
from mspd_jax.models import Model, ModelSpec, create_model
from mspd_jax.streams import stream
from mspd_jax.train._objective import Objective
from mspd_jax.train._order import batch_positions, epoch_order
from mspd_jax.train._replicas import compiled_step
from mspd_jax.train._step import (
    Batch,
    Signal,
    TrainState,
    example_keys,
    initial_state,
    trained_model,
)


class Progress(NamedTuple):
    """Where training stands after a step.

    step: finished steps, of `steps`; steps_per_epoch.
    signal: what the step before reported (device arrays, finished by now).
    state: () -> TrainState, a copy on the host; waits for the step to finish. Only
        valid until the next step is asked for.
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
    """Trains a classifier and returns it.

    The result is a pure function of the arguments: order, augmentation and attacks
    draw from fold_in of the key, the epoch and the place of the example.

    start: a Model to go on from, or a ModelSpec for random weights from `key`.
    images: uint8, or float32 in [0, 1], [n, H, W, C]; labels: int [n].
    objective: see `objective`; optimizer: see `optimizer`, or any of optax.
    batch_size: over all devices, at most n; every epoch leaves out n % batch_size
    examples, others each time. augment: (key, image) -> image, per example, see
    `augmentation`. ema: return the exponential average of the weights (0.99, say).
    devices: default all devices of all processes; each process gives the same arrays.
    """
    devices = drive.chosen_devices(devices)
    progress = None
    for progress in train_steps(  # noqa: B007
        key,
        start,
        images,
        labels,
        objective=objective,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        augment=augment,
        ema=ema,
        devices=devices,
    ):
        pass
    spec = start.spec if isinstance(start, Model) else start
    return trained_model(spec, progress.state())


def first_state(
    key: jax.Array,
    start: ModelSpec | Model,
    optimizer: optax.GradientTransformation,
    *,
    ema: float | None = None,
) -> TrainState:
    """The state that `train_steps` begins with."""
    model = start
    if not isinstance(start, Model):
        model = create_model(stream(key, "model"), start)
    return initial_state(model, optimizer, ema=ema)


def train_steps(
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
    indices: np.ndarray | None = None,
    devices: Sequence[jax.Device] | None = None,
    state: TrainState | None = None,
) -> Iterator[Progress]:
    """The steps of `fit`, one by one.

    indices: what addresses the randomness of each example, int [n]; default its place.
    state: go on from here, as an earlier `Progress.state()` returned it: the steps that
    follow are those of an uninterrupted run. While the devices work on a step, the host
    gathers the next batch.
    """
    devices = drive.chosen_devices(devices)
    if epochs < 1:
        raise ValueError(f"epochs: expected at least 1, got {epochs}")
    per_epoch = steps_per_epoch(
        len(labels), batch_size=batch_size, devices=len(devices)
    )
    spec = start.spec if isinstance(start, Model) else start
    if state is None:
        state = first_state(key, start, optimizer, ema=ema)
    done = int(state.step)
    run = compiled_step(spec, optimizer, ema=ema, devices=devices)
    state = drive.place_copies(state, devices)
    batches = _batches(
        (stream(key, "order"), stream(key, "examples")),
        (images, labels, indices),
        range(done, epochs * per_epoch),
        batch_size=batch_size,
        devices=devices,
    )
    batch, signal = next(batches, None), None
    while batch is not None:
        state, latest = run(state, batch, np.int32(per_epoch), objective, augment)
        batch = next(batches, None)
        # One step may be under way while the caller looks at the one before it.
        signal = jax.block_until_ready(latest if signal is None else signal)
        done += 1
        yield Progress(
            done,
            epochs * per_epoch,
            per_epoch,
            drive.any_scalar(signal),
            lambda state=state: drive.host_copy(state, devices),
        )
        signal = latest


def _batches(keys, examples, steps, *, batch_size, devices) -> Iterator[Batch]:
    """This process's share of the batches of the steps."""
    order_key, example_key = keys
    images, labels, indices = examples
    share, shares = drive.process_share(devices)
    per_epoch, order = len(labels) // batch_size, None
    for step in steps:
        epoch, within = divmod(step, per_epoch)
        if order is None or within == 0:
            order = epoch_order(order_key, epoch, len(labels))
        rows = batch_positions(
            order, within, batch_size=batch_size, share=share, shares=shares
        )
        index = np.asarray(rows if indices is None else indices[rows], np.uint32)
        batch = Batch(
            example_keys(example_key, np.uint32(epoch), index),
            np.asarray(images[rows]),
            np.asarray(labels[rows], np.int32),
        )
        yield drive.place_shares(batch, devices)


def steps_per_epoch(count: int, *, batch_size: int, devices: int) -> int:
    """Whole batches among `count` examples; ValueError if the batch does not suit."""
    if not 0 < batch_size <= count:
        raise ValueError(f"batch_size: expected 1 to {count} images, got {batch_size}")
    if batch_size % devices:
        raise ValueError(
            f"batch_size: {batch_size} images cannot be shared by {devices} devices"
        )
    return count // batch_size
