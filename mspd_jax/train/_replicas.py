"""The training step on one device, or in step on all devices of all processes.

On one device it is a plain `jit`. On several it is a `pmap` over all of them: every
device holds a copy of the state (a leading axis) and an equal share of the batch.
"""

import functools
import json
from collections.abc import Callable, Sequence

import jax
import numpy as np
import optax

from mspd_jax.models import ModelSpec
from mspd_jax.train._step import Batch, TrainState, train_step

_AXIS = "devices"


def compiled_step(
    spec: ModelSpec,
    optimizer: optax.GradientTransformation,
    *,
    ema: float | None,
    devices: Sequence[jax.Device],
) -> Callable:
    """`train_step` for the devices; the state it is given is consumed (donated).

    Equal arguments give the same function, so that several fits of one architecture
    share a compilation.
    """
    frozen = json.dumps(spec._replace(origin={}), sort_keys=True)
    return _compiled(frozen, optimizer, ema, tuple(devices))


@functools.lru_cache(maxsize=32)
def _compiled(frozen, optimizer, ema, devices):
    spec = ModelSpec(*json.loads(frozen))
    spec = spec._replace(
        mean=tuple(spec.mean), std=tuple(spec.std), image_shape=tuple(spec.image_shape)
    )
    step = functools.partial(train_step, spec=spec, optimizer=optimizer, ema=ema)
    if len(devices) == 1:
        return jax.jit(step, donate_argnums=0)
    return jax.pmap(
        functools.partial(step, axis_name=_AXIS),
        axis_name=_AXIS,
        in_axes=(0, 0, None, None, None),
        devices=list(devices),
        donate_argnums=0,
    )


def local_devices(devices: Sequence[jax.Device]) -> list[jax.Device]:
    """Those of the devices that this process feeds."""
    return [d for d in devices if d.process_index == jax.process_index()]


def place_state(state: TrainState, devices: Sequence[jax.Device]) -> TrainState:
    """The state as the compiled step takes it."""
    if len(devices) == 1:
        return jax.device_put(state, devices[0])
    count = len(local_devices(devices))
    return jax.tree.map(lambda x: np.broadcast_to(x, (count, *np.shape(x))), state)


def place_batch(batch: Batch, devices: Sequence[jax.Device]) -> Batch:
    """This process's share of a batch (host arrays), on its way to the devices."""
    if len(devices) == 1:
        return jax.device_put(batch, devices[0])
    count = len(local_devices(devices))
    return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)


def host_state(state: TrainState, devices: Sequence[jax.Device]) -> TrainState:
    """One copy of the state as NumPy arrays of its own, safe from donation."""
    if len(devices) > 1:
        state = jax.tree.map(lambda x: x.addressable_data(0)[0], state)
    return jax.tree.map(lambda x: np.array(x, copy=True), state)
