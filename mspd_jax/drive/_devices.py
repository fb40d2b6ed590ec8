"""One program for a block of images, and the devices that run it.

What a program computes for an image is its own to the last bit: XLA rounds by the shape
of a batch, by the place in it, and otherwise where several devices are compiled for at
once. So there is one program, for a block of one size on a single device, and
any number of devices runs it, block by block. Devices of a CPU are the same cores: one
copy of the program serves as many blocks at once as there are devices.

No other module knows how many devices there are.
"""

import concurrent.futures
import functools
from collections.abc import Callable, Sequence

import jax
import numpy as np

from mspd_jax.drive._replicate import Replicated, replicate
from mspd_jax.models import as_pytree


def run_on_devices(
    key, predict, method, index, image, label, *, devices, axis_name=None
):
    """Applies a per-example method to a batch; results keep their row. Host arrays.

    method: (key, predict, image, label) -> pytree, per example, a callable pytree.
    index, label: int [B]; image: [B, H, W, C]; B is a multiple of the devices. The key
    of each example is fold_in(key, index). axis_name: see `block_runner`.
    """
    block = len(index) // (1 if axis_name else len(devices))
    with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
        start = block_runner(
            pool, key, predict, method, devices=devices, axis_name=axis_name
        )
        parts = [
            start(number, index[rows], image[rows], label[rows])
            for number, rows in enumerate(
                slice(first, first + block) for first in range(0, len(index), block)
            )
        ]
        results = [part.result() for part in parts]
    return jax.tree.map(lambda *rows: np.concatenate(rows), *results)


def block_runner(
    pool: concurrent.futures.Executor,
    key: jax.Array,
    predict: Callable,
    method: Callable,
    *,
    devices: Sequence[jax.Device],
    axis_name: str | None = None,
) -> Callable[..., concurrent.futures.Future]:
    """start(number, index, image, label) -> a future of the rows' results.

    The arrays hold one block; `number` chooses the device. What is needed to call the
    program is put on each device, and the program is compiled, once.

    axis_name: all devices work on all rows, for a method that shares out the work of an
    example itself, over the devices of this axis, and returns the same on each.
    """
    held = (key, as_pytree(predict), as_pytree(method))
    if axis_name is not None:
        shared = on_all_devices(tuple(devices), axis_name)
        places = np.arange(len(devices))  # there must be something to split
        return lambda number, *rows: pool.submit(_called, shared, places, *held, *rows)
    devices = serving(devices)
    placed, compiled = {}, {}

    def start(number, *rows):  # which the program puts where `held` is, in its thread
        device = devices[number % len(devices)]
        if device not in placed:
            placed[device] = jax.device_put(held, device)
        kind = device, *((row.shape, row.dtype) for row in rows)
        if kind not in compiled:  # here, not in the threads: once, and as configured
            compiled[kind] = examples_program.lower(*placed[device], *rows).compile()
        return pool.submit(_called, compiled[kind], *placed[device], *rows)

    return start


def _called(program, *arguments):
    return jax.device_get(program(*arguments))


def serving(devices: Sequence[jax.Device]) -> Sequence[jax.Device]:
    """The devices that need a copy of a program: of a CPU one, for all."""
    return devices[:1] if devices[0].platform == "cpu" else devices


@jax.jit
def examples_program(key, predict, method, index, image, label):
    """The method on every row; each example has the key of its index."""
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(index)
    return jax.vmap(method, in_axes=(0, None, 0, 0))(keys, predict, image, label)


@functools.cache
def on_all_devices(devices: tuple[jax.Device, ...], axis_name: str) -> Replicated:
    """The same where the devices of an axis share the work of each example.

    Its first argument numbers the devices.
    """
    return replicate(
        lambda place, *rest: examples_program(*rest),
        devices=devices,
        axis_name=axis_name,
        in_axes=(0, *[None] * 6),
        out_axes=None,
    )
