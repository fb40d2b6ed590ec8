"""The frame of a run: outcomes in, one record per image out, flushed, resumable.

    outcomes -> describe (one thread) -> write (another), in order

What is said of a result, and the files that hold it, are made beside the devices: the
thread that feeds them only hands on. The way is bounded: outcomes wait where the disk
is slower than the devices.
"""

import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mspd_jax.data import Record
from mspd_jax.drive._drive import Outcome

# Batches that wait for the disk, while as many at most are being written.
_WAITING = 4


class Ran(NamedTuple):
    """What one start of a run did.

    unreadable: why, for each image that could not be read. timing: seconds of this
    start, images computed, and images per second without the first batch, which
    compiles (None if there was no other); empty where nothing could be done.
    """

    unreadable: list[str]
    timing: dict[str, Any]


class _Batch(NamedTuple):
    """A batch on its way: how many images, and its records to come."""

    size: int
    records: concurrent.futures.Future


def run(
    outcomes: Iterable[list[Outcome]],
    describe: Callable[[Record, Any], dict],
    write: Callable[[list[dict]], None],
    *,
    advance: Callable[[int], object] = lambda images: None,
) -> Ran:
    """Writes a record of each outcome, batch by batch, as the outcomes come.

    Every loop of a job over images is this one: protecting, attacking in stages,
    certifying, asking a classifier, measuring a trained model. Batches are written in
    order, those that are ready together at once, so that one flush serves them all.
    Whatever ends the loop early, what has been computed is written.

    Args:
      outcomes: batches of outcomes, as `drive` yields them.
      describe: (image, result) -> what the record holds besides the image's `index`;
        called in a thread of its own, it may write files.
      write: keeps the records of some batches, through to the disk if they are to
        survive. Called in a thread of its own.
      advance: called with how many images have been finished, after they are written.

    Returns:
      What could not be read, and how long it took.
    """
    begun, first = time.perf_counter(), 0.0
    sizes: list[int] = []
    unreadable: list[str] = []
    on_the_way: queue.Queue[_Batch | None] = queue.Queue(_WAITING)
    failed: list[BaseException] = []
    # One thread: of small images two that describe get in each other's way, at the
    # interpreter and in the folder where files are created (results/scale).
    with concurrent.futures.ThreadPoolExecutor(1) as describer:
        writer = threading.Thread(
            target=_write_in_order, args=(on_the_way, write, advance, failed)
        )
        writer.start()
        try:
            for batch in outcomes:
                first = first or time.perf_counter()
                sizes.append(sum(outcome.record is not None for outcome in batch))
                unreadable += [outcome.error for outcome in batch if outcome.error]
                records = describer.submit(_records_of, batch, describe)
                on_the_way.put(_Batch(len(batch), records))
                if failed:
                    break
        finally:
            on_the_way.put(None)
            writer.join()
    if failed:
        raise failed[0]
    return Ran(unreadable, _timing(begun, first, time.perf_counter(), sizes))


def _records_of(outcomes: list[Outcome], describe) -> list[dict]:
    return [
        {"index": o.record.index, **describe(o.record, o.result)}
        for o in outcomes
        if o.record is not None
    ]


def _write_in_order(
    on_the_way: "queue.Queue[_Batch | None]",
    write: Callable[[list[dict]], None],
    advance: Callable[[int], object],
    failed: list[BaseException],
) -> None:
    """Writes batches until there are no more; after a failure it only takes them."""
    more = True
    while more:
        batches, more = _take_all(on_the_way)
        if failed:
            continue
        records, size = [], 0
        try:
            for batch in batches:
                records += batch.records.result()
                size += batch.size
        except BaseException as error:  # the thread that feeds the devices raises it
            failed.append(error)
        try:
            if size:
                write(records)
                advance(size)
        except BaseException as error:
            failed.append(error)


def _take_all(
    on_the_way: "queue.Queue[_Batch | None]",
) -> tuple[list[_Batch], bool]:
    """The next batch with all that wait behind it, and whether more will come."""
    taken = []
    next_one = on_the_way.get()
    while next_one is not None:
        taken.append(next_one)
        try:
            next_one = on_the_way.get_nowait()
        except queue.Empty:
            return taken, True
    return taken, False


def _timing(
    begun: float, first: float, end: float, images: list[int]
) -> dict[str, Any]:
    if not any(images):
        return {}
    later = sum(images[1:])
    return {
        "seconds": round(end - begun, 3),
        "images_computed": sum(images),
        "images_per_second": round(later / (end - first), 6) if later else None,
    }
