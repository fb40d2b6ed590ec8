"""The training step on one device, or in step on all devices of all processes.

On one device it is a plain `jit`. On several every device holds a copy of the state
(a leading axis) and an equal share of the batch.
"""

import contextlib
import functools
import json
import math
from collections.abc import Sequence

import jax
import optax

from mspd_jax import drive
from mspd_jax.convolution import library_convolutions
from mspd_jax.models import ModelSpec, as_pytree
from mspd_jax.train._step import train_step

_AXIS = "devices"
# Pixels of an image from which on a training takes long enough to be compiled in each
# run, as oneDNN asks for.
_LARGE = 32 * 32


def compiled_step(
    spec: ModelSpec,
    *,
    ema: float | None,
    devices: Sequence[jax.Device],
) -> jax.stages.Wrapped | drive.Replicated:
    """`train_step` for the devices; the state that it takes is consumed (donated).

    Equal arguments give the same function, so that several fits of one architecture
    share a compilation. Its optimizer is a pytree (`optimizer_pytree`).
    """
    frozen = json.dumps(spec._replace(origin={}), sort_keys=True)
    return _compiled(frozen, ema, tuple(devices))


def optimizer_pytree(
    optimizer: optax.GradientTransformation,
) -> optax.GradientTransformation:
    """Any optimizer of optax as an argument of the step."""
    functions = as_pytree(optimizer.init), as_pytree(optimizer.update)
    return optax.GradientTransformation(*functions)


@functools.lru_cache(maxsize=32)
def _compiled(frozen, ema, devices):
    spec = ModelSpec(*json.loads(frozen))
    spec = spec._replace(
        mean=tuple(spec.mean), std=tuple(spec.std), image_shape=tuple(spec.image_shape)
    )

    large = math.prod(spec.image_shape[:2]) >= _LARGE

    def step(*arguments, axis_name=None):
        with library_convolutions() if large else contextlib.nullcontext():
            return train_step(
                *arguments,
                spec=spec,
                ema=ema,
                axis_name=axis_name,
            )

    if len(devices) == 1:
        return jax.jit(step, donate_argnums=0)
    return drive.replicate(
        functools.partial(step, axis_name=_AXIS),
        devices=devices,
        axis_name=_AXIS,
        in_axes=(0, 0, None, None, None, None),
        donate=(0,),
    )
