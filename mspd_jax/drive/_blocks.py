"""Which image sits in which row of which block.

The row of an image is a function of its index alone, so that the program that computes
it meets it at the same place whatever else is pending: in a fresh run or a resumed one,
among all images or among the few that are left.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

# Its multiples, modulo 2**32, fall evenly.
_GOLDEN = 2654435769


class Block(NamedTuple):
    """int [block] positions of images in their rows, and bool [block] whether wanted.

    A row that has no image of its own repeats one of the block, and is not wanted.
    """

    positions: np.ndarray
    wanted: np.ndarray


def row_of(index: np.ndarray, *, block: int) -> np.ndarray:
    """The row of the image with this data-set index, of `block` rows.

    Indices in sequence fill blocks without a gap. Each run of them begins in another
    row, so that those of every tenth image are spread out, too.
    """
    run, place = np.divmod(np.asarray(index, np.uint64), np.uint64(block))
    first = (run * _GOLDEN % 2**32 * block) >> np.uint64(32)
    return (first + place) % np.uint64(block)


def pack(
    indices: np.ndarray,
    pending: Collection[int],
    *,
    block: int,
    step: int = 1,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[list[Block]]:
    """The blocks of this process with all pending images, `step` blocks at a time.

    indices: of all images, by position. pending: positions. Every run of step * block
    positions belongs to one process, by turns, whatever is pending.
    """
    pending = np.sort(np.fromiter(pending, np.int64, len(pending)))
    turn = pending // (step * block)
    own = pending[turn % process_count == process_index]
    rows = row_of(indices[own], block=block).astype(np.int64)
    waiting = [list(own[rows == row][::-1]) for row in range(block)]
    blocks = []
    while any(waiting):
        places = [queue.pop() if queue else -1 for queue in waiting]
        wanted = np.asarray(places) >= 0
        filler = max(places)
        blocks.append(Block(np.where(wanted, places, filler), wanted))
        if len(blocks) == step or not any(waiting):
            yield blocks
            blocks = []
