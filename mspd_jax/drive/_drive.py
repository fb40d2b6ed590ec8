"""The driver: a method over a data set, resumable, on all devices or on the host."""

import concurrent.futures
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from mspd_jax.data import Record, Source
from mspd_jax.drive._blocks import Block, pack
from mspd_jax.drive._devices import block_runner
from mspd_jax.drive._replicate import local_devices
from mspd_jax.errors import InputError

_READERS = 4  # threads: decoding images is the work of C libraries that let go


class Outcome(NamedTuple):
    """What became of one image.

    Attributes:
      position: where it stands in the source.
      record: the image with its index, label and name; None if it could not be read.
      result: the method's result for it, host arrays without a batch axis.
      error: why the image could not be read, or None.
    """

    position: int
    record: Record | None
    result: Any
    error: str | None


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
        concurrent.futures.ThreadPoolExecutor(len(devices)) as pool,
    ):
        start = block_runner(
            pool, key, predict, method, devices=devices, axis_name=axis_name
        )
        read = _one_behind(_begin_reading(readers, source, blocks) for blocks in work)
        computed = _one_behind(_begin(start, batch) for batch in read)
        yield from map(_finish, computed)


def in_turn(
    key: jax.Array,
    method: Callable[[jax.Array, Record], Any],
    source: Source,
    *,
    skip: Collection[int] = (),
) -> Iterator[list[Outcome]]:
    """Outcomes like those of `drive`, each a batch, in the order of the source.

    For what is no program of JAX, as asking a classifier far away: the next image is
    begun when the outcome of the last one has been taken. method: (key, image) ->
    result, with the key fold_in(key, its index). skip: data-set indices that are done.
    """
    for position, index in enumerate(source.indices):
        if int(index) in skip:
            continue
        record = _read(source, position)
        if isinstance(record, str):
            yield [Outcome(position, None, None, record)]
        else:
            result = method(jax.random.fold_in(key, record.index), record)
            yield [Outcome(position, record, result, None)]


def _one_behind(batches: Iterable[Any]) -> Iterator[Any]:
    """The batches, each handed out when the next has been made."""
    made = None
    for batch in batches:
        if made is not None:
            yield made
        made = batch
    if made is not None:
        yield made


def _begin_reading(readers, source: Source, blocks: list[Block]):
    """The blocks of a batch, and (positions, future of their records) for all images.

    Images are read by the handful: a future costs as much as a small image.
    """
    needed = np.unique(np.concatenate([block.positions for block in blocks])).tolist()
    share = -(-len(needed) // _READERS)
    handfuls = [needed[at : at + share] for at in range(0, len(needed), share)]
    return blocks, [
        (some, readers.submit(_read_all, source, some)) for some in handfuls
    ]


def _read_all(source: Source, positions: list[int]) -> list[Record | str]:
    return [_read(source, position) for position in positions]


def _read(source: Source, position: int) -> Record | str:
    """The record, or why it cannot be read."""
    try:
        return source.read(position)
    except InputError as error:
        return str(error)


def _begin(start, batch):
    """(block, records, future of the results) of the blocks of a batch.

    Images that cannot be read become copies of others.
    """
    begun = []
    blocks, handfuls = batch
    read = {p: r for some, f in handfuls for p, r in zip(some, f.result(), strict=True)}
    for number, block in enumerate(blocks):
        records = [read[position] for position in block.positions.tolist()]
        readable = [r for r in records if not isinstance(r, str)]
        if not readable:
            begun.append((block, records, None))
            continue
        rows = [readable[0] if isinstance(r, str) else r for r in records]
        results = start(
            number,
            np.asarray([r.index for r in rows], np.uint32),
            np.stack([r.image for r in rows]),
            np.asarray([r.label for r in rows], np.int32),
        )
        begun.append((block, records, results))
    return begun


def _finish(batch) -> list[Outcome]:
    """The outcomes of the blocks of a batch, in the order of the source."""
    outcomes = []
    for block, records, future in batch:
        leaves, tree = jax.tree.flatten(None if future is None else future.result())
        for row in np.flatnonzero(block.wanted).tolist():
            position, record = int(block.positions[row]), records[row]
            if isinstance(record, str):
                outcomes.append(Outcome(position, None, None, record))
            else:
                result = jax.tree.unflatten(tree, [leaf[row] for leaf in leaves])
                outcomes.append(Outcome(position, record, result, None))
    return sorted(outcomes, key=lambda outcome: outcome.position)
