"""The driver: per-example methods over data sets, devices, processes and restarts."""

from mspd_jax.drive._blocks import Block, pack, row_of
from mspd_jax.drive._devices import run_on_devices
from mspd_jax.drive._drive import Outcome, drive
from mspd_jax.drive._log import Log, append_log, log_files, open_log, read_log
from mspd_jax.drive._progress import with_progress
from mspd_jax.drive._run_folder import (
    Run,
    append_records,
    merge_records,
    open_run,
    read_records,
    write_json,
)

__all__ = [
    "Log",
    "Outcome",
    "Run",
    "Block",
    "append_log",
    "append_records",
    "drive",
    "log_files",
    "merge_records",
    "open_log",
    "open_run",
    "pack",
    "read_log",
    "read_records",
    "run_on_devices",
    "row_of",
    "with_progress",
    "write_json",
]
