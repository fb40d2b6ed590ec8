"""The devices of this machine, divided among worker processes before they start."""

import functools
import importlib.util
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mspd_jax.errors import InputError

_COUNT = "--xla_force_host_platform_device_count="
_MOST_DEVICES = 4  # of a CPU, for a process: each holds a block in memory
_CORES_PER_WORKER = 4
_GPU_PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin")
# How the chips of a TPU host lie that one process has, by their number.
_BOUNDS = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1", 8: "2,4,1"}


class Share(NamedTuple):
    """What one worker has. environment: variables that it must start with. cores: those
    it may use, or None for all."""

    environment: dict[str, str]
    cores: frozenset[int] | None


def device_shares(
    workers: int | None = None, *, most: int | None = None
) -> list[Share]:
    """The devices of this machine for each of so many workers.

    Nothing of JAX is started. GPUs and TPU chips go round; where there are none, the
    cores do, and each worker has a device for each of its cores. workers: by default
    one per accelerator, or one per four cores and at least two; never more than `most`.
    """
    chips, share = _chips()
    cores = _cores()
    if workers is None:
        workers = len(chips) or max(2, len(cores) // _CORES_PER_WORKER)
    workers = min(workers, most or workers)
    if chips:
        return [share(chips, number, workers) for number in range(workers)]
    return [_of_cores(cores, number, workers) for number in range(workers)]


def cpu_environment(devices: int) -> dict[str, str]:
    """The variables of a process with so many devices of a CPU."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    flags = [flag for flag in flags if not flag.startswith(_COUNT)]
    return {"XLA_FLAGS": " ".join([*flags, f"{_COUNT}{min(devices, _MOST_DEVICES)}"])}


def _of_cores(cores: Sequence[int], number: int, workers: int) -> Share:
    own = cores[number % len(cores) :: workers]
    return Share(cpu_environment(len(own)), frozenset(own))


def _of_gpus(chips: Sequence[str], number: int, workers: int) -> Share:
    own = chips[number % len(chips) :: workers]
    environment = {"CUDA_VISIBLE_DEVICES": ",".join(own)}
    if workers > len(chips):  # JAX takes three quarters of the memory by itself
        together = -(-workers // len(chips))
        environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 / together:.2f}"
    return Share(environment, None)


def _of_tpus(chips: Sequence[str], number: int, workers: int) -> Share:
    own = chips[number::workers]
    if len(chips) % workers or len(own) not in _BOUNDS:
        raise InputError(
            f"`workers`={workers}: {len(chips)} TPU chips cannot be divided so"
        )
    return Share(
        {
            "TPU_VISIBLE_CHIPS": ",".join(own),
            "TPU_CHIPS_PER_PROCESS_BOUNDS": _BOUNDS[len(own)],
            "TPU_PROCESS_BOUNDS": "1,1,1",
        },
        None,
    )


def _chips() -> tuple[list[str], Callable[[Sequence[str], int, int], Share]]:
    """The accelerators that JAX would use, and how they are shared out."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if _installed("libtpu") and platforms in ("", "tpu", "tpu,cpu"):
        chips = [*_numbers("/dev/accel*"), *_numbers("/dev/vfio/*")]
        if chips:
            return [str(place) for place in range(len(chips))], _of_tpus
    wanted = platforms == "" or "cuda" in platforms or "gpu" in platforms
    if wanted and any(map(_installed, _GPU_PLUGINS)):
        return _gpus(os.environ), _of_gpus
    return [], _of_gpus


def _gpus(environment: Mapping[str, str]) -> list[str]:
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part.strip() for part in visible.split(",") if part.strip()]
    return _numbers("/dev/nvidia*")


def _numbers(pattern: str) -> list[str]:
    """The numbers at the ends of the files of a pattern, in order."""
    folder, _, start = pattern.removesuffix("*").rpartition("/")
    names = (path.name for path in pathlib.Path(folder).glob(f"{start}*"))
    ends = (name.removeprefix(start) for name in names)
    return sorted((end for end in ends if end.isdigit()), key=int)


@functools.cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _cores() -> list[int]:
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return list(range(os.cpu_count() or 1))
