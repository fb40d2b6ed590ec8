"""The frame of a run: outcomes in, one record per image out, flushed, resumable."""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mspd_jax.data import Record
from mspd_jax.drive._drive import Outcome


class Ran(NamedTuple):
    """What one start of a run did.

    unreadable: why, for each image that could not be read. timing: seconds of this
    start, images computed, and images per second without the first batch, which
    compiles (None if there was no other); empty where there was nothing to do.
    """

    unreadable: list[str]
    timing: dict[str, Any]


def run(
    outcomes: Iterable[list[Outcome]],
    describe: Callable[[Record, Any], dict],
    write: Callable[[list[dict]], None],
    *,
    advance: Callable[[int], object] = lambda images: None,
) -> Ran:
    """Writes a record of each outcome, batch by batch, as the outcomes come.

    Every loop of a job over images is this one: protecting, attacking in stages,
    certifying, asking a classifier, measuring a trained model.

    Args:
      outcomes: batches of outcomes, as `drive` yields them.
      describe: (image, result) -> what the record holds besides the image's `index`; it
        may write files.
      write: keeps the records of a batch, through to the disk if it is to survive.
      advance: called with how many images have been finished, after they are written.

    Returns:
      What could not be read, and how long it took.
    """
    clock, sizes, unreadable = [time.perf_counter()], [], []
    for batch in outcomes:
        unreadable += [outcome.error for outcome in batch if outcome.error]
        write(
            [
                {"index": o.record.index, **describe(o.record, o.result)}
                for o in batch
                if o.record is not None
            ]
        )
        advance(len(batch))
        clock.append(time.perf_counter())
        sizes.append(len(batch))
    return Ran(unreadable, _timing(clock, sizes))


def _timing(clock: list[float], images: list[int]) -> dict[str, Any]:
    if not images:
        return {}
    later = sum(images[1:])
    rate = round(later / (clock[-1] - clock[1]), 6) if later else None
    return {
        "seconds": round(clock[-1] - clock[0], 3),
        "images_computed": sum(images),
        "images_per_second": rate,
    }
