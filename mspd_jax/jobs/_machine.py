"""What a run works with, apart from what it computes."""

import dataclasses

from mspd_jax.jobs._option import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """How a job is worked off; the same job gives the same results on each.

    Only `block` and `chunk` reach the results, by rounding: what they come to stands in
    the identity of the run, and a run does not go on with others.
    """

    batch_size: int = option(
        32,
        help="images per device between two writes to the disk, rounded up to whole "
        "blocks; results do not depend on it",
        lower=1,
    )
    block: int | None = option(
        None,
        help="images that one program computes at once; it belongs to the run, as "
        "results depend on it by rounding (default: what suits the method and the "
        "device)",
        lower=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChunkedMachine(Machine):
    """A machine for jobs that work through noise or windows in chunks."""

    chunk: int | None = option(
        None,
        help="noise draws, or windows over a patch, that are worked on at once: lower "
        "it to save memory (default: what suits the batch, the images and the device)",
        lower=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilesMachine:
    """A machine for jobs that only read and write files: nothing to choose."""
