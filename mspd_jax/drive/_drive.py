"""The driver: a per-example method over a data set, on all devices, resumable."""

import concurrent.futures
import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from mspd_jax.data import Record, Source
from mspd_jax.drive._blocks import Block, pack
from mspd_jax.drive._devices import block_runner, run_on_devices, workers
from mspd_jax.drive._replicate import local_devices
from mspd_jax.errors import InputError

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
    block: Block
    records: list[Record | str]  # a string says why that image could not be read


def drive(
    key: jax.Array,
    predict: Callable,
    method: Callable,
    source: Source,
    *,
    block: int,
    batch_size: int | None = None,
    skip: Collection[int] = (),
    devices: list[jax.Device] | None = None,
    process_index: int | None = None,
    process_count: int | None = None,
    axis_name: str | None = None,
) -> Iterator[list[Outcome]]:
    """Runs `method(key, predict, image, label)` on every image, batch by batch.

    The result of an image is a function of the key, the method, the model, the image
    and its index, and `block`, to the last bit on one kind of processor: it does not
    depend on `batch_size`, on what else is in the source or pending, on the number of
    devices or of processes, or on a restart. Its key is fold_in(key, its index); it is
    computed by one program for `block` images, in a row of its own (`row_of`).

    block: images that one program computes. batch_size: images per device that are
    handed out together, rounded up to whole blocks, one block by default. `skip` holds
    data-set indices that are already done. While the devices work on one batch, the
    next is read and the last is handed out. Processes of a cluster take turns batch by
    batch, without waiting for each other.
    axis_name: the devices of this process share the work of each image, by a method
    that knows this axis of theirs; `block` images are then worked on at once.
    """
    devices = local_devices() if devices is None else devices
    at_once = 1 if axis_name else len(devices)
    todo = ~np.isin(source.indices, np.fromiter(skip, np.int64, len(skip)))
    work = pack(
        source.indices,
        np.flatnonzero(todo),
        block=block,
        step=at_once * -(-(batch_size or block) // block),
        process_index=jax.process_index() if process_index is None else process_index,
        process_count=jax.process_count() if process_count is None else process_count,
    )
    with (
        concurrent.futures.ThreadPoolExecutor(_READERS) as readers,
        workers(devices) as pool,
    ):
        job = key, predict, method
        if axis_name is None:
            start = block_runner(pool, *job, devices=devices)
        else:
            run = functools.partial(
                run_on_devices, *job, devices=devices, axis_name=axis_name
            )
            start = functools.partial(_in_turn, pool, run)
        running = None
        for batch in _prefetched(readers, source, work):
            started = [
                (loaded, _start(start, number, loaded))
                for number, loaded in enumerate(batch)
            ]
            if running is not None:
                yield _finish(running)
            running = started
        if running is not None:
            yield _finish(running)


def _prefetched(readers, source, work) -> Iterator[list[_Loaded]]:
    """Reads one batch ahead."""

    def submit(blocks: list[Block]):
        needed = np.unique(np.concatenate([b.positions for b in blocks]))
        return blocks, {p: readers.submit(_read, source, int(p)) for p in needed}

    def collect(blocks, futures) -> list[_Loaded]:
        return [_Loaded(b, [futures[p].result() for p in b.positions]) for b in blocks]

    ahead = None
    for blocks in work:
        current, ahead = ahead, submit(blocks)
        if current is not None:
            yield collect(*current)
    if ahead is not None:
        yield collect(*ahead)


def _read(source: Source, position: int) -> Record | str:
    try:
        return source.read(position)
    except InputError as error:
        return str(error)


def _start(start, number: int, loaded: _Loaded):
    """Starts a block on a device; unreadable images become copies of others."""
    readable = [r for r in loaded.records if not isinstance(r, str)]
    if not readable:
        return None
    rows = [readable[0] if isinstance(r, str) else r for r in loaded.records]
    return start(
        number,
        np.asarray([r.index for r in rows], np.uint32),
        np.stack([r.image for r in rows]),
        np.asarray([r.label for r in rows], np.int32),
    )


def _in_turn(pool, run, number: int, *rows):
    """A block that all devices share, as `block_runner` starts one."""
    del number
    return pool.submit(run, *rows)


def _finish(batch) -> list[Outcome]:
    """The outcomes of the blocks of a batch, in the order of the source."""
    outcomes = []
    for loaded, future in batch:
        results = None if future is None else future.result()
        for row in np.flatnonzero(loaded.block.wanted):
            position, record = int(loaded.block.positions[row]), loaded.records[row]
            if isinstance(record, str):
                outcomes.append(Outcome(position, None, None, record))
            else:
                result = jax.tree.map(lambda x, row=row: x[row], results)
                outcomes.append(Outcome(position, record, result, None))
    return sorted(outcomes, key=lambda outcome: outcome.position)
