"""The driver: per-example methods over data sets, devices, processes and restarts."""

from mspd_jax.drive._compiling import compile_seconds as compile_seconds
from mspd_jax.drive._devices import run_on_devices as run_on_devices
from mspd_jax.drive._drive import Outcome, drive
from mspd_jax.drive._drive import in_turn as in_turn
from mspd_jax.drive._here import barrier as barrier
from mspd_jax.drive._here import here as here
from mspd_jax.drive._here import in_cluster as in_cluster
from mspd_jax.drive._program import Program as Program
from mspd_jax.drive._program import called_program as called_program
from mspd_jax.drive._program import distinct as distinct
from mspd_jax.drive._program import image_program as image_program
from mspd_jax.drive._progress import line_of_parts as line_of_parts
from mspd_jax.drive._progress import progress_bar as progress_bar
from mspd_jax.drive._progress import shared_line as shared_line
from mspd_jax.drive._progress import watched as watched
from mspd_jax.drive._replicate import Replicated as Replicated
from mspd_jax.drive._replicate import any_scalar as any_scalar
from mspd_jax.drive._replicate import chosen_devices as chosen_devices
from mspd_jax.drive._replicate import host_copy as host_copy
from mspd_jax.drive._replicate import place_copies as place_copies
from mspd_jax.drive._replicate import place_shares as place_shares
from mspd_jax.drive._replicate import process_share as process_share
from mspd_jax.drive._replicate import replicate as replicate
from mspd_jax.drive._run import run
from mspd_jax.drive._shares import Share as Share
from mspd_jax.drive._shares import cpu_environment as cpu_environment
from mspd_jax.drive._shares import device_shares as device_shares
from mspd_jax.drive._size import images_per_block as images_per_block
from mspd_jax.drive._size import images_per_pass as images_per_pass
from mspd_jax.drive._size import sizes_for as sizes_for
from mspd_jax.drive._spread import spread as spread

# What users call; other rooms may import the rest.
__all__ = ["Outcome", "drive", "run"]
