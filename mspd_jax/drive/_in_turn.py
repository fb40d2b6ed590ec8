"""Images one after the other, by a method that runs on the host."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import jax

from mspd_jax.data import Record, Source
from mspd_jax.drive._drive import Outcome
from mspd_jax.errors import InputError


def in_turn(
    key: jax.Array,
    method: Callable[[jax.Array, Record], Any],
    source: Source,
    *,
    skip: Collection[int] = (),
) -> Iterator[list[Outcome]]:
    """Outcomes like those of `drive`, each a batch, in the order of the source.

    For what is no program of JAX, as asking a classifier far away: the next image is
    begun when the outcome of the last one has been taken.

    Args:
      key: the stream of a job; an image's own key is fold_in(key, its index).
      method: (key, image) -> result.
      source: the images.
      skip: data-set indices that are already done.

    Returns:
      An iterator of batches of one outcome.
    """
    for position, index in enumerate(source.indices):
        if int(index) in skip:
            continue
        try:
            record = source.read(position)
        except InputError as error:
            yield [Outcome(position, None, None, str(error))]
            continue
        result = method(jax.random.fold_in(key, record.index), record)
        yield [Outcome(position, record, result, None)]
