"""The driver: a per-example method over a data set, on all devices, resumable."""

import concurrent.futures
import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from mspd_jax.data import Record, Source
from mspd_jax.drive._devices import run_on_devices
from mspd_jax.drive._slots import Slots, slots
from mspd_jax.errors import InputError
from mspd_jax.models import as_pytree

_READERS = 4  # threads: decoding images is the work of C libraries that let go


class Outcome(NamedTuple):
    """What became of one image.

    position: where it stands in the source.
    record: the image with its index, label and name; None if it could not be read.
    result: the method's result for it, host arrays without a batch axis.
    error: why the image could not be read, or None.
    """

    position: int
    record: Record | None
    result: Any
    error: str | None


class _Loaded(NamedTuple):
    slots: Slots
    records: list[Record | str]  # a string says why that image could not be read


def drive(
    key: jax.Array,
    predict: Callable,
    method: Callable,
    source: Source,
    *,
    batch_size: int,
    skip: Collection[int] = (),
    devices: list[jax.Device] | None = None,
    process_index: int | None = None,
    process_count: int | None = None,
    axis_name: str | None = None,
) -> Iterator[list[Outcome]]:
    """Runs `method(key, predict, image, label)` on every image, batch by batch.

    The key of an image is fold_in(key, its index in the data set), so that its result
    does not depend on its batch, on the number of devices or of processes, or on a
    restart. `batch_size` counts images per device. `skip` holds data-set indices that
    are already done. While the devices work on one batch, the next is read and the
    last is handed out. Processes of a cluster take turns batch by batch, without
    waiting for each other.
    axis_name: the devices of this process share the work of each image, by a method
    that knows this axis of theirs; `batch_size` images are then worked on at once.
    """
    devices = jax.local_devices() if devices is None else devices
    work = slots(
        np.flatnonzero(
            ~np.isin(source.indices, np.fromiter(skip, np.int64, len(skip)))
        ),
        len(source.indices),
        batch=batch_size * (1 if axis_name else len(devices)),
        process_index=jax.process_index() if process_index is None else process_index,
        process_count=jax.process_count() if process_count is None else process_count,
    )
    run = functools.partial(
        run_on_devices, key, as_pytree(predict), as_pytree(method), devices=devices,
        axis_name=axis_name,
    )  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        running = None
        for loaded in _prefetched(pool, source, work):
            started = (loaded, _start(run, loaded))
            if running is not None:
                yield _finish(*running)
            running = started
        if running is not None:
            yield _finish(*running)


def _prefetched(pool, source, work) -> Iterator[_Loaded]:
    """Reads one batch ahead."""

    def submit(batch: Slots):
        needed = np.unique(batch.positions)
        return batch, {p: pool.submit(_read, source, int(p)) for p in needed}

    def collect(batch, futures) -> _Loaded:
        return _Loaded(batch, [futures[p].result() for p in batch.positions])

    ahead = None
    for batch in work:
        current, ahead = ahead, submit(batch)
        if current is not None:
            yield collect(*current)
    if ahead is not None:
        yield collect(*ahead)


def _read(source: Source, position: int) -> Record | str:
    try:
        return source.read(position)
    except InputError as error:
        return str(error)


def _start(run, loaded: _Loaded):
    """Starts the batch on the devices; unreadable images become copies of others."""
    readable = [r for r in loaded.records if not isinstance(r, str)]
    if not readable:
        return None
    rows = [readable[0] if isinstance(r, str) else r for r in loaded.records]
    return run(
        np.asarray([r.index for r in rows], np.uint32),
        np.stack([r.image for r in rows]),
        np.asarray([r.label for r in rows], np.int32),
    )


def _finish(loaded: _Loaded, results) -> list[Outcome]:
    results = jax.device_get(results)
    outcomes = []
    for row in np.flatnonzero(loaded.slots.wanted):
        position, record = int(loaded.slots.positions[row]), loaded.records[row]
        if isinstance(record, str):
            outcomes.append(Outcome(position, None, None, record))
        else:
            result = jax.tree.map(lambda x, row=row: x[row], results)
            outcomes.append(Outcome(position, record, result, None))
    return outcomes
