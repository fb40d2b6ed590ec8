"""Checks of arguments that bounds and counting share."""

import contextlib
import math
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Sample numbers are int32, and the last chunk may reach beyond the last sample.
_MOST = 2**30


def check_count(name: str, value: Any, *, least: int = 1) -> int:
    """The value as an int; ValueError unless it is an integer of `least` to 2^30."""
    count = None
    with contextlib.suppress(TypeError):
        count = operator.index(value)
    if count is None or isinstance(value, bool) or not least <= count <= _MOST:
        raise ValueError(f"{name} must be an integer of {least} to 2^30; got {value!r}")
    return count


def check_level(name: str, value: float) -> float:
    """The value as a float; ValueError unless it is a probability inside (0, 1)."""
    if not 0.0 < value < 1.0:  # also True for NaN
        raise ValueError(f"{name} must be between 0 and 1; got {value}")
    return float(value)


def check_sigma(sigma: float) -> float:
    """The standard deviation as a float; ValueError unless positive and finite.

    The devices draw with sigma in float32. Where that is smaller than what was asked
    for, the noise is narrower, and so must the radius be: the smaller of the two.
    """
    if not 0.0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive and finite; got {sigma}")
    with np.errstate(over="ignore"):
        single = float(np.float32(sigma))
    if not 0.0 < single < math.inf:
        raise ValueError(f"sigma must be positive and finite in float32; got {sigma}")
    return min(float(sigma), single)


def check_votes(name: str, votes: ArrayLike, *, most: int | None = None) -> np.ndarray:
    """The counts as int64 [..., K]; ValueError unless they can be votes of `most`."""
    votes = np.asarray(votes)
    if votes.ndim < 1 or not np.issubdtype(votes.dtype, np.integer):
        raise ValueError(
            f"{name} must be integers [..., K]; got {votes.dtype} {votes.shape}"
        )
    votes = votes.astype(np.int64)
    if votes.size and votes.min() < 0:
        raise ValueError(f"{name} must not be negative; got {votes.min()}")
    if most is not None and votes.size and votes.sum(-1).max() > most:
        raise ValueError(
            f"{name} must be votes of at most num_samples = {most} samples; got "
            f"{votes.sum(-1).max()}"
        )
    return votes
