"""Parts and pairs of sources: what they read, and what they are known by."""

import numpy as np
import pytest

from mspd_jax.data import (
    every,
    from_arrays,
    open_source,
    paired,
    select,
    shard,
    write_png,
)
from mspd_jax.errors import InputError

BYTES = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 1), np.uint8)
LABELS = np.arange(7)


def arrays(count=7):
    return from_arrays(BYTES[:count], LABELS[:count])


def photos(folder, count=7):
    for number in range(count):
        write_png(folder / f"{number}.png", BYTES[number])
    return open_source(f"folder:{folder}")


def test_a_part_reads_what_it_has():
    part = select(arrays(), [5, 2, 99])
    assert list(part.indices) == [2, 5]
    assert [part.read(i).label for i in range(2)] == [2, 5]
    assert list(every(arrays(), 3).indices) == [0, 3, 6]


def test_a_part_keeps_files_shapes_and_digests(tmp_path):
    whole = photos(tmp_path)
    part = select(whole, whole.indices[[1, 4]])
    assert part.files == (whole.files[1], whole.files[4])
    assert part.shape_of(1) == (4, 5, 1)
    assert [part.digest_of(i) for i in range(2)] == [
        whole.digest_of(1),
        whole.digest_of(4),
    ]


def test_the_fingerprint_is_that_of_the_part(tmp_path):
    assert (
        select(arrays(7), [0, 3]).fingerprint == select(arrays(5), [0, 3]).fingerprint
    )
    assert every(arrays(7), 3).fingerprint == every(arrays(7), 3).fingerprint
    assert every(arrays(7), 3).fingerprint != every(arrays(6), 3).fingerprint
    assert select(arrays(), LABELS).fingerprint == arrays().fingerprint
    few = photos(tmp_path, 4)
    known = few.fingerprint
    many = photos(tmp_path, 7)
    part = select(many, few.indices)
    assert part.fingerprint == known != many.fingerprint
    write_png(tmp_path / "5.png", BYTES[0])
    assert part.fingerprint == known
    write_png(tmp_path / "3.png", BYTES[0])
    assert part.fingerprint != known


def test_a_pair_is_read_and_known_by_both():
    other = from_arrays(BYTES[::-1], LABELS)
    pair = paired(arrays(), other)
    np.testing.assert_allclose(pair.read(2).image * 255, BYTES[[2, 4]], atol=1e-4)
    prints = {
        source.fingerprint
        for source in (
            arrays(),
            other,
            pair,
            paired(other, arrays()),
            paired(arrays(), arrays()),
            paired(arrays(), select(other, [2])),
        )
    }
    assert len(prints) == 6
    assert paired(arrays(), other).fingerprint == pair.fingerprint
    assert (
        paired(arrays(3), other).fingerprint
        == paired(arrays(3), select(other, [0, 1, 2])).fingerprint
    )
    assert pair.digest_of(2) != arrays().digest_of(2)
    assert pair.digest_of(2) != paired(arrays(), arrays()).digest_of(2)


def test_a_pair_without_a_partner_is_unreadable():
    pair = paired(arrays(), select(arrays(), [2]))
    assert pair.read(2).image.shape == (2, 4, 5, 1)
    assert pair.digest_of(3) is None and pair.digest_of(2) is not None
    with pytest.raises(InputError, match="has no image 3"):
        pair.read(3)
    broad = from_arrays(np.zeros((7, 4, 6, 1), np.uint8), LABELS)
    with pytest.raises(InputError, match="image 0 has shape"):
        paired(arrays(), broad).read(0)


def test_parts_and_pairs_of_an_unknown_source_are_unknown():
    blind = arrays()._replace(fingerprint_of=None, digest_of=lambda position: None)
    assert select(blind, [1]).fingerprint == ""
    assert paired(blind, arrays()).fingerprint == ""
    assert paired(arrays(), blind).fingerprint == ""
    assert paired(arrays(), blind).digest_of(0) is None


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (BYTES[0], LABELS, "`images` of shape"),
        (BYTES, LABELS[:3], "`labels` of shape"),
        (BYTES[:0], LABELS[:0], "wanted"),
        (BYTES / 100, LABELS, "`images` range from 0 to 2.49"),
        (np.full((7, 2, 2, 1), np.nan), LABELS, "range from nan"),
    ],
)
def test_arrays_that_are_no_images_are_refused(images, labels, message):
    with pytest.raises(InputError, match=message):
        from_arrays(images, labels)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shards_of_a_source_are_the_source(count):
    whole = arrays()
    parts = [shard(whole, place, count) for place in range(1, count + 1)]
    indices = np.concatenate([part.indices for part in parts])
    np.testing.assert_array_equal(indices, whole.indices)
    sizes = [len(part.indices) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    labels = [part.read(p).label for part in parts for p in range(len(part.indices))]
    assert labels == list(LABELS)
    last = select(whole, parts[-1].indices)
    assert parts[-1].fingerprint == last.fingerprint


def test_more_shards_than_images_are_refused():
    with pytest.raises(InputError, match="has 7 images: 8 parts are too many"):
        shard(arrays(), 1, 8)
