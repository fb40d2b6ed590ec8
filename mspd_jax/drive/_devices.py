"""One compiled program for any number of devices: vmap within, pmap across.

No other module knows how many devices there are.
"""

import functools

import jax
import numpy as np


def run_on_devices(
    key, predict, method, index, image, label, *, devices, axis_name=None
):
    """Applies a per-example method to a batch; results keep their row.

    method: (key, predict, image, label) -> pytree, per example, a callable pytree.
    index, label: int [B]; image: [B, H, W, C]; B is a multiple of the device count.
    The key of each example is fold_in(key, index). The results are device arrays
    [B, ...] that may still be being computed.

    axis_name: all devices work on all rows, for a method that shares out the work of an
    example itself, over the devices of this axis, and returns the same on each.
    """
    if axis_name is not None:
        run = _on_all_devices(tuple(devices), axis_name)
        places = np.arange(len(devices))  # pmap asks for something to split
        return run(places, key, predict, method, index, image, label)
    if len(devices) == 1:
        return _on_one_device()(key, predict, method, index, image, label)
    split = functools.partial(_split, parts=len(devices))
    results = _on_each_device(tuple(devices))(
        key, predict, method, split(index), split(image), split(label)
    )
    return jax.tree.map(_joined, results)


def _examples(key, predict, method, index, image, label):
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(index)
    return jax.vmap(method, in_axes=(0, None, 0, 0))(keys, predict, image, label)


@functools.cache
def _on_one_device():
    return jax.jit(_examples)


@functools.cache
def _on_each_device(devices):
    return jax.pmap(
        _examples, in_axes=(None, None, None, 0, 0, 0), devices=list(devices)
    )


@functools.cache
def _on_all_devices(devices, axis_name):
    return jax.pmap(
        lambda place, *rest: _examples(*rest), axis_name=axis_name,
        in_axes=(0, *[None] * 6), out_axes=None, devices=list(devices),
    )  # fmt: skip


def _split(x: np.ndarray, *, parts: int) -> np.ndarray:
    return x.reshape(parts, x.shape[0] // parts, *x.shape[1:])


def _joined(x: jax.Array) -> jax.Array:
    """[devices, B, ...] -> [devices * B, ...], also where the rest holds nothing."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
