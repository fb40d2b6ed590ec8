"""The programs by which pictures of all sizes are protected."""

from collections.abc import Callable

import numpy as np

from mspd_jax import drive, preempt


def picture_programs(
    predict: Callable, size: tuple[int, int, int], samples: int, versions: int
) -> list[drive.Program]:
    """Those for pictures in color.

    samples: draws of an epoch, of which `versions` of the picture share the views.
    """
    height, width, channels = size
    tall, wide = preempt.TILE

    def zeros(*shape):
        return np.zeros(shape, np.float32)

    def matrices(count):
        return zeros(count, height, tall), zeros(count, width, wide)

    turns = np.bincount(preempt.turns(samples, versions))
    views, label = zeros(samples, height, width, 3), np.int32(0)
    tile, noise = zeros(tall, wide, 3), zeros(samples, height, width, channels)
    calls: dict[str, tuple] = {
        f"views of {count}": (preempt.seen_tile, tile, *matrices(count))
        for count in sorted({1, *turns.tolist()} - {0})
    }
    calls["slopes"] = (preempt.view_slopes, predict, views, noise, label)
    calls["steps"] = (preempt.turned_tile, views, *matrices(samples))
    return [
        drive.called_program(name, call[0], call[1:]) for name, call in calls.items()
    ]
