"""Which image sits in which slot of which batch.

The slots of a data set never move: position p of the source has the same batch and
the same row whether the run is fresh or resumed, so that a resumed run hands the
compiled program the same shapes and rows as an uninterrupted one.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np


class Slots(NamedTuple):
    """One batch of positions.

    positions: int [batch]; slots that need no work repeat a position that does.
    wanted: bool [batch], which slots carry a result that is asked for.
    """

    positions: np.ndarray
    wanted: np.ndarray


def slots(
    pending: Collection[int],
    count: int,
    *,
    batch: int,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Slots]:
    """The batches of this process that hold at least one pending position.

    Batch b covers positions [b * batch, (b + 1) * batch) and belongs to process
    b % process_count.
    """
    pending = np.isin(np.arange(count), np.fromiter(pending, int, len(pending)))
    for start in range(process_index * batch, count, process_count * batch):
        positions = np.arange(start, start + batch)
        wanted = np.append(pending[start : start + batch], [False] * batch)[:batch]
        if wanted.any():
            filler = positions[wanted][0]
            yield Slots(np.where(wanted, positions, filler), wanted)
