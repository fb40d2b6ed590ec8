"""The driver: per-example methods over data sets, devices, processes and restarts."""

from mspd_jax.drive._blocks import Block, pack, row_of
from mspd_jax.drive._devices import run_on_devices
from mspd_jax.drive._drive import Outcome, drive
from mspd_jax.drive._here import Here, barrier, here
from mspd_jax.drive._in_turn import in_turn
from mspd_jax.drive._progress import progress_bar, shared_line, with_progress
from mspd_jax.drive._replicate import (
    any_scalar,
    chosen_devices,
    host_copy,
    local_devices,
    place_copies,
    place_shares,
    process_share,
    replicate,
)
from mspd_jax.drive._run import Ran, run
from mspd_jax.drive._size import images_per_block, images_per_pass

__all__ = [
    "Block",
    "Here",
    "Outcome",
    "Ran",
    "any_scalar",
    "barrier",
    "chosen_devices",
    "drive",
    "here",
    "host_copy",
    "images_per_block",
    "images_per_pass",
    "in_turn",
    "local_devices",
    "pack",
    "place_copies",
    "place_shares",
    "process_share",
    "progress_bar",
    "replicate",
    "row_of",
    "run",
    "run_on_devices",
    "shared_line",
    "with_progress",
]
