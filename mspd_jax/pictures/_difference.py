"""The difference of two pictures, enlarged so that it can be seen."""

import numpy as np

_TIMES = 10


def enlarged_difference(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Ten times the change from `before` to `after`, around middle gray.

    Both are levels [H, W, C] of the same type, uint8 or uint16, as is the result; what
    leaves the range is cut.
    """
    top = int(np.iinfo(before.dtype).max)
    change = after.astype(np.int64) - before
    return np.clip(top // 2 + _TIMES * change, 0, top).astype(before.dtype)
