"""The driver: per-example methods over data sets, devices, processes and restarts."""

from mspd_jax.drive._blocks import Block, pack, row_of
from mspd_jax.drive._devices import run_on_devices
from mspd_jax.drive._drive import Outcome, drive
from mspd_jax.drive._progress import with_progress

__all__ = [
    "Outcome",
    "Block",
    "drive",
    "pack",
    "run_on_devices",
    "row_of",
    "with_progress",
]
