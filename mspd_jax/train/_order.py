"""Which examples meet in which step: a pure function of the key and the epoch."""

import jax
import numpy as np

from mspd_jax.errors import InputError


def epoch_order(key: jax.Array, epoch: int, count: int) -> np.ndarray:
    """A uniformly random order of the positions 0..count-1 for an epoch, int [count].

    Random words sorted on the host: nothing to compile for a new count.
    """
    words = jax.random.bits(jax.random.fold_in(key, epoch), (2, count))
    high, low = np.asarray(words, np.uint64)
    return np.argsort((high << np.uint64(32)) | low, kind="stable")


def batch_positions(
    order: np.ndarray, step: int, *, batch_size: int, share: int = 0, shares: int = 1
) -> np.ndarray:
    """Positions of one of `shares` equal parts of the step's batch, int [B / shares].

    Step s of an epoch takes order[s * B : (s + 1) * B]; the last count % B examples of
    the order are left out of the epoch.
    """
    part = batch_size // shares
    start = step * batch_size + share * part
    return order[start : start + part]


def steps_per_epoch(count: int, *, batch_size: int, devices: int) -> int:
    """Whole batches among `count` examples; InputError if the batch does not suit."""
    if not 0 < batch_size <= count:
        raise InputError(
            f"`batch_size`: expected 1 to {count} images, got {batch_size}"
        )
    if batch_size % devices:
        raise InputError(
            f"`batch_size`: {batch_size} images cannot be shared by {devices} devices"
        )
    return count // batch_size
