"""Calls of one compiled function, as many at once as there are devices."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax

from mspd_jax.drive._devices import serving
from mspd_jax.drive._replicate import local_devices


def spread(function: Callable, calls: Iterable[tuple]) -> Iterator[Any]:
    """Like `itertools.starmap`, on all devices of this process; host arrays, in order.

    function: compiled by `jax.jit`. Of the arguments no more are made than a few calls
    ahead, so that calls which share out something large need little memory.
    """
    count = len(local_devices())
    devices = serving(local_devices())

    def call(number, arguments):
        placed = jax.device_put(arguments, devices[number % len(devices)])
        return jax.device_get(function(*placed))

    numbered = enumerate(calls)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        begun = collections.deque(
            pool.submit(call, *one) for one in itertools.islice(numbered, 2 * count)
        )
        while begun:
            yield begun.popleft().result()
            begun.extend(
                pool.submit(call, *one) for one in itertools.islice(numbered, 1)
            )
