"""The driver: per-example methods over data sets, devices, processes and restarts."""

from mspd_jax.drive._devices import run_on_devices
from mspd_jax.drive._drive import Outcome, drive
from mspd_jax.drive._progress import with_progress
from mspd_jax.drive._run_folder import (
    Run,
    append_records,
    merge_records,
    open_run,
    read_records,
    write_json,
)
from mspd_jax.drive._slots import Slots, slots

__all__ = [
    "Outcome",
    "Run",
    "Slots",
    "append_records",
    "drive",
    "merge_records",
    "open_run",
    "read_records",
    "run_on_devices",
    "slots",
    "with_progress",
    "write_json",
]
