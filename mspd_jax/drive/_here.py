"""Where this process stands among the processes and devices of a run."""

from typing import NamedTuple

import jax
from jax.experimental import multihost_utils


class Here(NamedTuple):
    """process: number of this process, of `processes`. devices: of all processes.
    local_devices: of this one. platform, device: their kind, as cpu and its name."""

    process: int
    processes: int
    devices: int
    local_devices: int
    platform: str
    device: str


def here() -> Here:
    """What JAX says of this process; starts the devices."""
    device = jax.devices()[0]
    return Here(
        process=jax.process_index(),
        processes=jax.process_count(),
        devices=jax.device_count(),
        local_devices=jax.local_device_count(),
        platform=device.platform,
        device=device.device_kind,
    )


def in_cluster() -> bool:
    """Whether this process has joined others; starts no devices."""
    return jax.distributed.is_initialized()


def barrier() -> None:
    """Waits for the other processes of a cluster."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("mspd_jax")
