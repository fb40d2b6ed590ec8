"""One compiled program for any number of devices: vmap within, pmap across.

No other module knows how many devices there are.
"""

import functools

import jax
import numpy as np


def run_on_devices(key, predict, method, index, image, label, *, devices):
    """Applies a per-example method to a batch; results keep their row.

    method: (key, predict, image, label) -> pytree, per example, a callable pytree.
    index, label: int [B]; image: [B, H, W, C]; B is a multiple of the device count.
    The key of each example is fold_in(key, index). The results are device arrays
    [B, ...] that may still be being computed.
    """
    if len(devices) == 1:
        return _on_one_device()(key, predict, method, index, image, label)
    split = functools.partial(_split, parts=len(devices))
    results = _on_each_device(tuple(devices))(
        key, predict, method, split(index), split(image), split(label)
    )
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), results)


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


def _split(x: np.ndarray, *, parts: int) -> np.ndarray:
    return x.reshape(parts, x.shape[0] // parts, *x.shape[1:])
