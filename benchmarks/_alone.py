"""The compiled function of a job without the way to it: blocks that lie in memory."""

import concurrent.futures
import time
from typing import Any

import jax
import numpy as np


def alone_rate(job: Any, machine: Any, images: np.ndarray, labels: np.ndarray) -> float:
    """Images per second of the one program of a job, on uint8 images and their labels.

    Called by as many threads as there are devices, which is how a CPU is used best.
    """
    (program,) = job.programs(machine)
    devices = jax.local_devices()
    held = jax.device_put(program.held, devices[0])
    called = program.function.lower(*held, *program.rows).compile()
    size = len(program.rows[0])
    blocks = [
        (
            np.arange(at, at + size, dtype=np.uint32),
            images[at : at + size].astype(np.float32) / 255,
            labels[at : at + size].astype(np.int32),
        )
        for at in range(0, len(labels) - size + 1, size)
    ]

    def call(rows):
        return jax.device_get(called(*held, *rows))

    with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
        list(pool.map(call, blocks[: len(devices)]))
        begun = time.perf_counter()
        list(pool.map(call, blocks))
        return size * len(blocks) / (time.perf_counter() - begun)
