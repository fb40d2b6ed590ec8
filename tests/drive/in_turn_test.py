"""Images in turn: keys by index, done ones left out, unreadable ones named."""

import jax
import numpy as np

from mspd_jax import data
from mspd_jax.drive import in_turn
from mspd_jax.errors import InputError


def source_of(broken=()):
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
    source = data.from_arrays(images, np.arange(5, dtype=np.int32))
    source = data.every(source, 2)  # indices 0, 2, 4

    def read(position):
        if position in broken:
            raise InputError(f"image {position} is broken")
        return source.read(position)

    return source._replace(read=read)


def test_each_image_has_the_key_of_its_index_and_what_is_done_is_left_out():
    key, seen = jax.random.key(3), []

    def method(own, record):
        seen.append(record.index)
        return jax.random.bits(own), int(record.label)

    batches = in_turn(key, method, source_of(), skip={2})
    first = next(batches)
    assert seen == [0]  # no image is begun before the last one has been taken
    found = [*first, *(outcome for batch in batches for outcome in batch)]
    assert [(o.position, o.record.index, o.error) for o in found] == [
        (0, 0, None),
        (2, 4, None),
    ]
    for outcome in found:
        index = outcome.record.index
        want = jax.random.bits(jax.random.fold_in(key, index))
        assert outcome.result == (want, index)


def test_an_unreadable_image_is_an_outcome_with_the_reason():
    found = [
        outcome
        for batch in in_turn(jax.random.key(0), lambda key, r: 7, source_of({1}))
        for outcome in batch
    ]
    assert [(o.position, o.result, o.error) for o in found] == [
        (0, 7, None),
        (1, None, "image 1 is broken"),
        (2, 7, None),
    ]
