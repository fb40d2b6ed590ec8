"""Data sets of images as sources: the same images as from anywhere else."""

import concurrent.futures
import json
import sys

import numpy as np
import pytest

from mspd_jax.data import (
    _arrayrecord,
    check_compatible,
    load_arrays,
    merge_parts,
    open_source,
)
from mspd_jax.data import _arrayrecord_write as writing
from mspd_jax.data._arrayrecord_layout import Layout, shards_in, write_layout
from mspd_jax.errors import InputError
from tests.data.arrayrecord_write_test import parts_of, rows_of
from tests.data.run_folder_test import finish


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of three images of 4x5 pixels."""
    monkeypatch.setattr(writing, "_SHARD_SIZE", 3 * 60 + 59)


def made(folder, rows, **known):
    merge_parts(parts_of(folder / "parts", rows), folder / "images", **known)
    return f"arrayrecord:{folder / 'images'}"


def assert_source(source, rows):
    assert source.indices.tolist() == [row.index for row in rows]
    for position, row in enumerate(rows):
        record = source.read(position)
        assert (record.index, record.label, record.name) == row[:3]
        assert record.image.dtype == np.float32
        wanted = row.levels.astype(np.float32) / np.float32(255)
        np.testing.assert_array_equal(record.image, wanted)


def test_images_labels_names_and_what_is_known(tmp_path):
    rows = rows_of(range(5, 15))
    spec = made(tmp_path, rows, num_classes=3, class_names=("ant", "bee", "cow"))
    source = open_source(spec)
    assert_source(source, rows)
    assert source.image_shape == (4, 5, 3) and source.shape_of is None
    assert source.num_classes == 3 and source.max_label == 2 and source.labelled
    assert source.class_names == ("ant", "bee", "cow")
    images, labels = load_arrays(source)
    assert images.dtype == np.uint8 and labels.tolist() == [row.label for row in rows]
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    "shapes, channels",
    [([(4, 5, 3), (2, 2, 3)], 3), ([(4, 5, 1), (2, 9, 1)], 1), ([(4, 5, 3)] * 2, 0)],
)
def test_images_of_many_sizes(tmp_path, shapes, channels):
    rows = rows_of(range(8), shapes)
    source = open_source(made(tmp_path, rows))
    assert_source(source, rows)
    if not channels:
        assert source.image_shape == (4, 5, 3)
        return
    assert source.image_shape is None
    found = [source.shape_of(position) for position in range(8)]
    assert found == [row.levels.shape for row in rows]
    with pytest.raises(InputError, match="image 1 is"):
        check_compatible(source, image_shape=shapes[0], num_classes=None)


def test_unlabeled_images_and_unknown_classes(tmp_path):
    rows = [row._replace(label=-1) for row in rows_of(range(3))]
    source = open_source(made(tmp_path / "one", rows))
    assert not source.labelled and source.max_label == -1
    assert source.num_classes is None and source.class_names is None
    source = open_source(made(tmp_path / "two", rows_of([0, 1])))
    assert source.labelled and source.max_label == 1 and source.num_classes is None


@pytest.mark.parametrize("limit", [1, 3, 4, 99])
def test_a_limit_needs_no_other_shards(tmp_path, limit):
    rows = rows_of(range(10))
    spec = made(tmp_path, rows)
    for shard in shards_in(tmp_path / "images")[(min(limit, 10) + 2) // 3 :]:
        shard.unlink()
    assert_source(open_source(spec, limit=limit), rows[:limit])


def as_run(folder, rows, info='{"job": "protect", "num_classes": 3}'):
    """The folder of a run that has not finished yet, its images as a data set."""
    made(folder, rows)
    (folder / "run.json").write_text(info)
    lines = [json.dumps({"index": row.index, "label": row.label}) for row in rows]
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("word", ["arrayrecord", "folder"])
@pytest.mark.parametrize("inside", ["", "/images"])
def test_the_run_that_wrote_them_is_known(tmp_path, word, inside):
    rows = rows_of(range(6))
    spec = f"{word}:{as_run(tmp_path, rows)}{inside}"
    with pytest.raises(InputError, match=f"run in {tmp_path} has not finished"):
        open_source(spec)
    finish(tmp_path, images=5)  # going on: of one image the totals do not know
    with pytest.raises(InputError, match="has not finished"):
        open_source(spec)
    finish(tmp_path, images=6)
    assert open_source(spec).num_classes is None
    (tmp_path / "run.json").write_text('{"job": "protect", "num_classes": 3}')
    source = open_source(spec)
    assert_source(source, rows)
    assert source.spec == spec and source.num_classes == 3


def test_a_run_that_has_no_images_yet_is_unfinished(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="has not finished"):
        open_source(f"arrayrecord:{tmp_path}")
    finish(tmp_path, images=0)
    with pytest.raises(InputError, match="it has no dataset_info.json"):
        open_source(f"arrayrecord:{tmp_path}")


def test_the_fingerprint_is_that_of_the_images_wherever_they_lie(tmp_path):
    rows = rows_of(range(8))
    one = open_source(made(tmp_path / "one", rows))
    assert open_source(made(tmp_path / "two", rows)).fingerprint == one.fingerprint
    pixels = rows[5].levels.copy()
    pixels[0, 0, 0] ^= 1
    for number, change in enumerate(
        [{"label": 9}, {"name": "x.png"}, {"levels": pixels}, {"index": 99}]
    ):
        other = [*rows[:5], rows[5]._replace(**change), *rows[6:]]
        source = open_source(made(tmp_path / f"other-{number}", other))
        assert source.fingerprint != one.fingerprint
        places = {index: place for place, index in enumerate(source.indices)}
        same = [
            row.index in places
            and source.digest_of(places[row.index]) == one.digest_of(place)
            for place, row in enumerate(rows)
        ]
        moved = "index" in change  # it has the digest of an image that was not there
        assert same == [place != 5 for place in range(8)]
        assert not moved or source.digest_of(places[99]) == one.digest_of(5)
    limited = [open_source(one.spec, limit=limit).fingerprint for limit in (2, 3, 9)]
    assert len(set(limited)) == 3 and limited[2] == one.fingerprint
    turned = [row._replace(levels=row.levels.swapaxes(0, 1)) for row in rows]
    flat = [row._replace(levels=row.levels.reshape(5, 4, 3)) for row in rows]
    found = [
        open_source(made(tmp_path / name, changed)).digest_of(0)
        for name, changed in (("turned", turned), ("flat", flat))
    ]
    assert len({one.digest_of(0), *found}) == 3


def test_several_threads_read_the_same(tmp_path):
    rows = rows_of(range(40))
    source = open_source(made(tmp_path, rows))
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 10))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(source.read, order.tolist()))
    for position, record in zip(order, found, strict=True):
        assert record.index == position
        np.testing.assert_array_equal(
            np.rint(record.image * 255).astype(np.uint8), rows[position].levels
        )


def test_a_damaged_record_is_one_unreadable_image(tmp_path):
    rows = rows_of(range(6))
    spec = made(tmp_path, rows)
    shard = shards_in(tmp_path / "images")[1]
    data = bytearray(shard.read_bytes())
    place = data.find(rows[4].levels.tobytes())
    assert place > 0
    data[place + 7] ^= 1
    shard.write_bytes(data)
    source = open_source(spec)
    with pytest.raises(InputError, match="cannot read the image 4 of arrayr") as caught:
        source.read(4)
    assert "\n" not in str(caught.value)
    assert source.digest_of(4) is None
    assert source.read(3).index == 3 and source.read(5).index == 5


def cut(folder):
    shard = shards_in(folder)[1]
    shard.write_bytes(shard.read_bytes()[:70_000])
    return f"{shard.name}: it is cut off, or no ArrayRecord file"


def emptied(folder):
    shard = shards_in(folder)[1]
    shard.write_bytes(b"")
    return f"{shard.name}: it is cut off, or no ArrayRecord file"


def gone(folder):
    shard = shards_in(folder)[1]
    shard.unlink()
    return f"{shard.name}: "


def exchanged(folder):
    first, second = shards_in(folder)[1:]
    first.write_bytes(second.read_bytes())
    return f"{first.name} has 1 records, wanted 3"


def foreign(folder):
    info = json.loads((folder / "features.json").read_text())
    info["featuresDict"]["features"].pop("index")
    (folder / "features.json").write_text(json.dumps(info))
    return "'index'"


@pytest.mark.parametrize("make", [cut, emptied, gone, exchanged, foreign])
def test_what_is_damaged_is_refused_in_one_line(tmp_path, make):
    spec = made(tmp_path, rows_of(range(7)))
    message = make(tmp_path / "images")
    with pytest.raises(InputError, match=message) as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)
    assert "wanted what protect or revert wrote" in str(caught.value)


def test_what_is_no_data_set_is_refused_in_one_line(tmp_path):
    for path, message in [(tmp_path, "no dataset_info"), (tmp_path / "x", "no such")]:
        with pytest.raises(InputError, match=message) as caught:
            open_source(f"arrayrecord:{path}")
        assert "\n" not in str(caught.value)


def test_rows_that_are_not_where_the_table_says_are_unreadable(tmp_path):
    spec = made(tmp_path, rows_of(range(3)))
    for indices, labels in [([0, 1, 7], [0, 1, 2]), ([0, 1, 2], [0, 1, 1])]:
        write_layout(
            tmp_path / "images",
            Layout((3,), (4, 5, 3), None, None),
            num_bytes=0,
            indices=np.array(indices),
            labels=np.array(labels),
        )
        source = open_source(spec)
        assert source.read(1).index == 1
        with pytest.raises(InputError, match="there is the image 2 of class 2 in its"):
            source.read(2)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a.py", "b\\..\\a.png", ""])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    rows = rows_of(range(2))
    source = open_source(made(tmp_path, [rows[0]._replace(name=name), rows[1]]))
    with pytest.raises(
        InputError, match=r"image 0 of .*\(its name .* leads else"
    ) as caught:
        source.read(0)
    assert "\n" not in str(caught.value)
    assert source.digest_of(0) is None and source.read(1).name == rows[1].name


def test_without_the_package_the_way_to_install_it_is_named(tmp_path, monkeypatch):
    spec = made(tmp_path, rows_of([0]))
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_module", None)
    with pytest.raises(InputError, match="pip install array_record"):
        open_source(spec)


def test_opening_reads_no_record(tmp_path, monkeypatch):
    rows = rows_of(range(10))
    spec = made(tmp_path, rows)
    read, places = _arrayrecord.read_record, []
    monkeypatch.setattr(
        _arrayrecord,
        "read_record",
        lambda reader, place: places.append(place) or read(reader, place),
    )
    source = open_source(spec)
    assert len(source.fingerprint) == 16 and places == []
    source.read(4)
    assert places == [1]
