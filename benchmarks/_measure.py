"""Honest timing: warm, interleaved in pairs, medians; and where it was measured."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np


class Alone(NamedTuple):
    """Seconds of a run of one program: the median and the shortest."""

    median: float
    shortest: float


class Pairs(NamedTuple):
    """Two programs timed in turns, A B A B.

    first, second: what a run of each took. ratio: median over the pairs of
    second / first, so above 1 the first is faster. count: number of pairs.
    """

    first: Alone
    second: Alone
    ratio: float
    count: int


def time_pairs(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    seconds: float,
    min_pairs: int = 3,
) -> Pairs:
    """Times two warm programs in turns for about `seconds`.

    In turns, because another load on the machine then slows both; the median, because
    it slows some runs much more than others. Both must wait for their own results.
    """
    times = []
    end = time.perf_counter() + seconds
    while len(times) < min_pairs or time.perf_counter() < end:
        times.append((_seconds(first), _seconds(second)))
    times = np.array(times)
    alone = [Alone(float(np.median(column)), column.min()) for column in times.T]
    ratio = np.median(times[:, 1] / times[:, 0])
    return Pairs(*alone, float(ratio), len(times))


def time_alone(
    program: Callable[[], object], *, seconds: float, min_runs: int = 3
) -> Alone:
    """Times a warm program for about `seconds`."""
    times = []
    end = time.perf_counter() + seconds
    while len(times) < min_runs or time.perf_counter() < end:
        times.append(_seconds(program))
    return Alone(float(np.median(times)), min(times))


def compile_seconds(function, *arguments):
    """A jitted function compiled for its arguments, and how long that took."""
    start = time.perf_counter()
    compiled = function.lower(*arguments).compile()
    return compiled, time.perf_counter() - start


def peak_bytes() -> int:
    """Largest resident memory of this process so far (Linux)."""
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def surroundings(*packages: str) -> str:
    """One line: date, processor, accelerator, versions, load of the machine."""
    versions = [f"{name} {_version(name)}" for name in packages]
    device = jax.devices()[0]
    accelerator = "" if device.platform == "cpu" else f" {device.device_kind};"
    load = os.getloadavg()[0]
    return (
        f"{datetime.date.today()}; {_processor()}, {os.cpu_count()} cores, load "
        f"{load:.1f};{accelerator} Python {platform.python_version()}, "
        + ", ".join(versions)
    )


def _seconds(program):
    start = time.perf_counter()
    program()
    return time.perf_counter() - start


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _processor():
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
