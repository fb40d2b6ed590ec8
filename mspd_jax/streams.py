"""The random streams of a run: the one table, and the one function that reads it.

A run has one seed. Whatever it draws comes from a stream with a name,

    stream(seed, name) = fold_in(key(seed), STREAMS[name]),

so that no two jobs, and no two uses within a job, ever share random numbers. This
matters because JAX derives keys by numbers alone: `split(key, n)[i]` and
`fold_in(key, i)` are the same key. Below a stream, a key is folded by an index in a
data set, an epoch or the number of an attempt; a run's key is folded here alone.
"""

import types

import jax
import numpy as np

# Streams of a job keep their numbers: results of earlier versions rest on them. All
# others count down from the largest number, where there is no index, epoch or attempt:
# they may hang below a key that has children of its own.
_LAST = 2**32 - 1
STREAMS = types.MappingProxyType(
    {
        # Jobs: their images draw from fold_in(stream, index in the data set).
        "protect": 1,
        "revert": 2,
        "evaluate": 3,
        "certify": 4,
        # Defenses that draw at random, for whichever job attacks them.
        "defense": 5,
        # Training: the first weights; the order of an epoch; augmentation and attacks.
        "model": _LAST,
        "order": _LAST - 1,
        "examples": _LAST - 2,
        # What a training measures at its end: attacks, and noise on the images.
        "measure": _LAST - 3,
        "measure_noise": _LAST - 6,
        # Reliability checks of an evaluation, below its own stream.
        "check_model": _LAST - 4,
        "check_attack": _LAST - 5,
    }
)


def stream(key: jax.Array | int, name: str) -> jax.Array:
    """The key of a named stream.

    Args:
      key: the seed of a run, or the key that stands for it.
      name: one of `STREAMS`.

    Returns:
      A PRNG key that no other name yields, nor any index below 2^31.

    Example:
      streams.stream(0, "protect")  # what the job `protect` draws from with seed 0
    """
    if name not in STREAMS:
        raise KeyError(f"no stream {name!r}: give it a number in mspd_jax/streams.py")
    return jax.random.fold_in(run_key(key), np.uint32(STREAMS[name]))


def run_key(key: jax.Array | int) -> jax.Array:
    """The key of a run: made from a seed, or the key itself."""
    return jax.random.key(key) if isinstance(key, int | np.integer) else key
