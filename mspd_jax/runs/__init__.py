"""Folders of runs: run.json, records, logs, journals, metrics.

The one place that knows how a run lies on the disk. Records are JSON lines that a kill
cannot spoil; whole files are written all or nothing.
"""

from mspd_jax.runs._folder import (
    OpenRun,
    append_records,
    is_run_folder,
    merge_records,
    open_run,
    read_records,
    record_lines,
    remove_run,
)
from mspd_jax.runs._journal import (
    Journal,
    disk_journal,
    done_in,
    has_journal,
    journal_records,
    memory_journal,
    note,
    remove_journal,
    share,
    standing,
)
from mspd_jax.runs._log import Log, append_log, log_files, open_log, read_log
from mspd_jax.runs._metrics import (
    append_metrics,
    epoch_line,
    read_metrics,
    rewind_metrics,
)
from mspd_jax.runs._read import (
    Run,
    is_unfinished,
    read_info,
    read_json,
    read_runs,
)
from mspd_jax.runs._versions import package_versions
from mspd_jax.runs._write import write_file, write_json

__all__ = [
    "Journal",
    "Log",
    "OpenRun",
    "Run",
    "append_log",
    "append_metrics",
    "append_records",
    "disk_journal",
    "done_in",
    "epoch_line",
    "has_journal",
    "is_run_folder",
    "is_unfinished",
    "journal_records",
    "log_files",
    "memory_journal",
    "merge_records",
    "note",
    "open_log",
    "open_run",
    "package_versions",
    "read_info",
    "read_json",
    "read_log",
    "read_metrics",
    "read_records",
    "read_runs",
    "record_lines",
    "remove_journal",
    "remove_run",
    "rewind_metrics",
    "share",
    "standing",
    "write_file",
    "write_json",
]
