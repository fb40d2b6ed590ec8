"""Folders of runs: run.json, records, logs, journals, metrics.

The one place that knows how a run lies on the disk, or in an object store. Records are
JSON lines that a kill cannot spoil; whole files are written all or nothing.
"""

from mspd_jax.runs._folder import OpenRun as OpenRun
from mspd_jax.runs._folder import append_records as append_records
from mspd_jax.runs._folder import is_run_folder as is_run_folder
from mspd_jax.runs._folder import is_summed_up as is_summed_up
from mspd_jax.runs._folder import merge_records as merge_records
from mspd_jax.runs._folder import open_run as open_run
from mspd_jax.runs._folder import read_records
from mspd_jax.runs._folder import record_lines as record_lines
from mspd_jax.runs._folder import remove_run as remove_run
from mspd_jax.runs._folder import reopen_run as reopen_run
from mspd_jax.runs._folder import same_fields as same_fields
from mspd_jax.runs._gather import gather_run as gather_run
from mspd_jax.runs._gather import same_name as same_name
from mspd_jax.runs._journal import Journal as Journal
from mspd_jax.runs._journal import disk_journal as disk_journal
from mspd_jax.runs._journal import done_in as done_in
from mspd_jax.runs._journal import has_journal as has_journal
from mspd_jax.runs._journal import journal_records as journal_records
from mspd_jax.runs._journal import memory_journal as memory_journal
from mspd_jax.runs._journal import note as note
from mspd_jax.runs._journal import remove_journal as remove_journal
from mspd_jax.runs._journal import share as share
from mspd_jax.runs._journal import still_right as still_right
from mspd_jax.runs._log import append_log as append_log
from mspd_jax.runs._log import close_log as close_log
from mspd_jax.runs._log import log_files as log_files
from mspd_jax.runs._log import open_log as open_log
from mspd_jax.runs._log import read_log as read_log
from mspd_jax.runs._manifest import is_sealed as is_sealed
from mspd_jax.runs._manifest import seal as seal
from mspd_jax.runs._manifest import unseal as unseal
from mspd_jax.runs._metrics import append_metrics as append_metrics
from mspd_jax.runs._metrics import close_metrics as close_metrics
from mspd_jax.runs._metrics import epoch_line as epoch_line
from mspd_jax.runs._metrics import read_metrics as read_metrics
from mspd_jax.runs._metrics import rewind_metrics as rewind_metrics
from mspd_jax.runs._parts import absolute as absolute
from mspd_jax.runs._parts import is_marked as is_marked
from mspd_jax.runs._parts import mark_folder as mark_folder
from mspd_jax.runs._parts import names_in as names_in
from mspd_jax.runs._parts import read_lines as read_lines
from mspd_jax.runs._read import SHARDS as SHARDS
from mspd_jax.runs._read import Run, read_runs
from mspd_jax.runs._read import Sweep as Sweep
from mspd_jax.runs._read import is_unfinished as is_unfinished
from mspd_jax.runs._read import read_info as read_info
from mspd_jax.runs._read import read_json as read_json
from mspd_jax.runs._read import sweeps_among as sweeps_among
from mspd_jax.runs._records import Records as Records
from mspd_jax.runs._versions import package_versions as package_versions
from mspd_jax.runs._write import whole_file as whole_file
from mspd_jax.runs._write import write_file as write_file
from mspd_jax.runs._write import write_json as write_json

# What users call; other rooms may import the rest.
__all__ = ["Run", "read_records", "read_runs"]
