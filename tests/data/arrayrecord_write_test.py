"""Parts and the data set made of them, as TFDS reads it, whatever the parts were."""

import os

import numpy as np
import pytest

from mspd_jax import paths
from mspd_jax.data import Row, merge_parts, write_part
from mspd_jax.data import _arrayrecord_write as writing
from mspd_jax.data._arrayrecord_layout import has_data_set, shards_in
from mspd_jax.errors import InputError

SHAPE = (4, 5, 3)
STORE = paths.as_path("s3://b/run")


def rows_of(indices, shapes=(SHAPE,)):
    """Rows with pixels that follow from the index."""
    return [
        Row(
            index,
            index % 3,
            f"{index:05d}_{index % 3}.png",
            np.random.default_rng(index).integers(
                0, 256, shapes[index % len(shapes)], np.uint8
            ),
        )
        for index in map(int, indices)
    ]


def parts_of(folder, *groups):
    """Parts that hold these rows."""
    found = []
    for number, rows in enumerate(groups):
        found.append(paths.as_path(folder) / f"part-{number:03d}")
        write_part(found[-1], rows)
    return found


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_by_tfds(folder):
    import tensorflow_datasets as tfds

    return list(tfds.builder_from_directory(folder).as_data_source("data"))


def assert_rows(found, rows):
    """Whether TFDS gives these rows, in their order."""
    assert len(found) == len(rows)
    for one, row in zip(found, rows, strict=True):
        assert (one["index"], one["label"]) == (row.index, row.label)
        assert one["name"] == row.name.encode()
        assert one["image"].dtype == np.uint8
        np.testing.assert_array_equal(one["image"], row.levels)


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of three images."""
    monkeypatch.setattr(writing, "_SHARD_SIZE", 3 * 60 + 59)


@pytest.mark.parametrize(
    "shapes",
    [
        [SHAPE],
        [(7, 2, 1)],
        [SHAPE, (2, 9, 3), (1, 1, 3)],
        [(4, 5, 1), (2, 2, 1)],
        [SHAPE, (4, 5, 1)],
    ],
)
def test_tfds_reads_what_was_written(tmp_path, small_shards, shapes):
    rows = rows_of(range(10, 20), shapes)
    parts = parts_of(tmp_path / "parts", rows[4:], rows[:4])
    folder = tmp_path / "images"
    count = merge_parts(parts, folder, num_classes=3, class_names=("a", "b", "c"))
    assert count == 10 and has_data_set(folder)
    assert_rows(read_by_tfds(folder), rows)
    assert len(shards_in(folder)) > 1 or shapes != [SHAPE]


def test_unknown_classes_and_labels(tmp_path):
    rows = [row._replace(label=-1) for row in rows_of([4, 2])]
    merge_parts(parts_of(tmp_path / "parts", rows), tmp_path / "images")
    assert_rows(read_by_tfds(tmp_path / "images"), rows[::-1])


def test_the_bytes_are_those_of_the_rows_alone(tmp_path, small_shards):
    rows = rows_of(np.arange(17) * 5)
    cuts = {
        "one": [rows],
        "each": [[row] for row in rows],
        "mixed": [rows[1::2], rows[::-1][::2]],
        "twice": [rows[:9], rows[4:12], [], rows[12:], rows[:1]],
    }
    found = []
    for name, groups in cuts.items():
        folder = tmp_path / name
        merge_parts(parts_of(folder / "parts", *groups), folder / "images")
        found.append(content(folder / "images"))
    assert all(other == found[0] for other in found[1:])
    assert [path.name for path in shards_in(tmp_path / "one/images")] == [
        f"images-data.array_record-{place:05d}-of-00006" for place in range(6)
    ]
    assert_rows(read_by_tfds(tmp_path / "twice/images"), rows)


def test_shards_are_cut_by_their_pixels(monkeypatch):
    monkeypatch.setattr(writing, "_SHARD_SIZE", 10)
    sizes = np.array([4, 4, 4, 11, 1, 1, 8, 1, 20, 20])
    cuts = [(cut.start, cut.stop) for cut in writing._cut(sizes)]
    assert cuts == [(0, 2), (2, 3), (3, 4), (4, 7), (7, 8), (8, 9), (9, 10)]


def test_of_rows_of_one_index_the_last_counts(tmp_path):
    one, other = rows_of([3]), [rows_of([4])[0]._replace(index=3)]
    merge_parts(parts_of(tmp_path / "parts", one, other), tmp_path / "images")
    assert_rows(read_by_tfds(tmp_path / "images"), other)


def test_rows_that_are_not_wanted_are_left_out(tmp_path, small_shards):
    rows, only = rows_of(range(10)), np.array([1, 4, 5, 8])
    parts = parts_of(tmp_path / "parts", rows[:5], rows[5:])
    assert merge_parts(parts, tmp_path / "images", only=only) == 4
    assert_rows(read_by_tfds(tmp_path / "images"), [rows[place] for place in only])
    with pytest.raises(InputError, match="2 parts hold no images"):
        merge_parts(parts, tmp_path / "none", only=np.array([99]))


@pytest.mark.parametrize("shapes", [[SHAPE], [SHAPE, (2, 2, 3)]])
def test_a_data_set_is_added_to(tmp_path, small_shards, shapes):
    rows = rows_of(range(14), shapes)
    parts = parts_of(tmp_path / "parts", rows[:7:2], rows[7:], rows[1:7:2])
    merge_parts(parts, tmp_path / "once")
    folder = tmp_path / "images"
    for part in parts:
        merge_parts([part], folder)
        part.unlink()
    assert content(folder) == content(tmp_path / "once")
    before = [shard.stat().st_ino for shard in shards_in(folder)]
    assert merge_parts([], folder) == 14
    assert [shard.stat().st_ino for shard in shards_in(folder)] == before
    assert content(folder) == content(tmp_path / "once")
    # Also to one of another run, by its shards.
    merge_parts(shards_in(folder), tmp_path / "copy")
    assert content(tmp_path / "copy") == content(folder)


def test_a_part_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def die(old, new):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", die)
        write_part(tmp_path / "part", rows_of(range(5)))
    assert [path.name for path in tmp_path.iterdir()] == [".part.partial"]
    write_part(tmp_path / "part", rows_of(range(5)))
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_part_goes_through_to_the_disk_once(tmp_path, monkeypatch):
    files = []
    monkeypatch.setattr(os, "fsync", lambda fd: files.append(os.fstat(fd).st_ino))
    write_part(tmp_path / "part", rows_of(range(5)))
    assert files == [(tmp_path / "part").stat().st_ino]


@pytest.mark.parametrize("whole", [False, True])
def test_a_merging_that_is_killed_is_made_good(
    tmp_path, small_shards, monkeypatch, whole
):
    rows = rows_of(range(12))
    parts = parts_of(tmp_path / "parts", rows[:5], rows[5:])
    merge_parts(parts, tmp_path / "wanted")
    replace, left, kills = os.replace, [0], 0

    def die(old, new):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(old, new)

    for steps in range(99):
        folder = tmp_path / f"killed-{steps}"
        if whole:  # there is one already, of some of the rows
            merge_parts(parts[:1], folder)
        # What a kill leaves where there were to be other shards.
        stale = folder / ".images-data.array_record-00000-of-00099.partial"
        stale.parent.mkdir(exist_ok=True)
        stale.write_bytes(b"")
        left[0] = steps
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", die)
            try:
                merge_parts(parts[whole:], folder)
            except KeyboardInterrupt:
                kills += 1
                assert not has_data_set(folder)
        merge_parts(parts[whole:], folder)
        assert content(folder) == content(tmp_path / "wanted")
        if left[0]:
            break
    assert kills >= 4 + 3


def test_what_is_no_part_is_refused_in_one_line(tmp_path):
    rows = rows_of(range(5))
    parts = parts_of(tmp_path, rows, rows_of([2**32]), [])
    whole = parts[0].read_bytes()
    place = whole.find(rows[3].levels.tobytes())
    damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    for name, data in [
        ("empty", b""),
        ("cut", whole[: len(whole) // 2]),
        ("foreign", b"PNG" * 60_000),
        ("damaged", damaged),
    ]:
        assert data != whole
        (tmp_path / name).write_bytes(data)
        with pytest.raises(
            InputError, match=f"cannot read the part .*{name} "
        ) as found:
            merge_parts([parts[0], tmp_path / name], tmp_path / "images")
        assert "\n" not in str(found.value)
    with pytest.raises(InputError, match="cannot read the part .*gone"):
        merge_parts([tmp_path / "gone"], tmp_path / "images")
    with pytest.raises(InputError, match="indices from 4294967296"):
        merge_parts(parts[1:2], tmp_path / "images")
    with pytest.raises(InputError, match="1 parts hold no images"):
        merge_parts(parts[2:], tmp_path / "images")
    assert not has_data_set(tmp_path / "images")


def test_a_part_that_the_disk_has_no_room_for_is_an_error(tmp_path):
    resource = pytest.importorskip("resource")
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, before[1]))
    try:
        with pytest.raises(OSError, match="cannot write .*part"):
            write_part(tmp_path / "part", rows_of(range(200), [(32, 32, 3)]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "part").exists()


def in_store(bucket, folder):
    return {path.name: paths.read_bytes(path) for path in paths.children(folder)}


def test_parts_and_data_sets_in_a_store(bucket, tmp_path, small_shards):
    rows = rows_of(range(12))
    here = parts_of(tmp_path / "parts", rows[:5], rows[5:])
    merge_parts(here, tmp_path / "images", num_classes=3)
    there = parts_of(STORE / "parts", rows[:5], rows[5:])
    merge_parts([str(part) for part in there], str(STORE / "images"), num_classes=3)
    assert in_store(bucket, STORE / "images") == content(tmp_path / "images")
    written = [path for what, path in bucket.requests if what == "put"]
    assert str(written[-1]).endswith("dataset_info.json")
    # Parts of the disk for a data set in the store, which is added to.
    merge_parts(here[:1], STORE / "more", num_classes=3)
    merge_parts(here[1:], STORE / "more", num_classes=3)
    assert in_store(bucket, STORE / "more") == content(tmp_path / "images")
    with pytest.raises(InputError, match="a part is missing in s3://b/run/parts"):
        merge_parts([STORE / "parts" / "gone"], STORE / "images")


@pytest.mark.parametrize("whole", [False, True])
def test_a_merging_in_a_store_that_is_killed_is_made_good(
    bucket, tmp_path, small_shards, whole
):
    rows = rows_of(range(12))
    parts = parts_of(tmp_path / "parts", rows[:5], rows[5:])
    merge_parts(parts, tmp_path / "wanted")
    kills, left = 0, [0]

    def die(what, path):
        if what in ("put", "delete"):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1

    for steps in range(99):
        folder = STORE / f"killed-{steps}"
        if whole:
            merge_parts(parts[:1], folder)
        left[0] = steps
        bucket.fails = staticmethod(die)
        try:
            merge_parts(parts[whole:], folder)
            break
        except KeyboardInterrupt:
            kills += 1
        finally:
            bucket.fails = None
        merge_parts(parts[whole:], folder)
        assert in_store(bucket, folder) == content(tmp_path / "wanted")
    assert kills >= 4 + 3
