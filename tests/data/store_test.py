"""Sources in a store: what the same files give on the disk."""

import numpy as np
import pytest

from mspd_jax import data, paths, runs
from mspd_jax.data import _arrayrecord_write
from mspd_jax.errors import InputError, StoreError
from tests.data.arrayrecord_write_test import rows_of
from tests.data.folder_test import put
from tests.data.tfds_test import prepare

STORE = paths.as_path("s3://b/data")


def moved(root):
    """The folder in the store that holds the files below a folder of the disk."""
    for file in root.rglob("*"):
        if file.is_file():
            runs.write_file(STORE / file.relative_to(root), file.read_bytes())


def assert_equal(here, there):
    np.testing.assert_array_equal(here.indices, there.indices)
    for name in ("image_shape", "num_classes", "max_label", "class_names", "labelled"):
        assert getattr(here, name) == getattr(there, name)
    for place in range(len(here.indices)):
        (*_, one, _, name), (*_, other, _, same) = here.read(place), there.read(place)
        np.testing.assert_array_equal(one, other)
        assert name == same
        assert here.digest_of(place) == there.digest_of(place)
    assert here.fingerprint == there.fingerprint


@pytest.mark.parametrize(
    "names",
    [
        ("dog/z[1].png", "cat/tom.JPG", "cat/deep/er.bmp", ".hidden/x.png"),
        ("10/a.png", "2/b.png"),
        ("00004_7.png", "00001_9.png"),
        ("holiday *.png", "cat?.png", "notes/.keep.png"),
    ],
)
def test_folders(bucket, tmp_path, names):
    spec = put(tmp_path, *names)
    moved(tmp_path)
    (tmp_path / "dog" / "more").mkdir(parents=True) if "dog" in names[0] else None
    here = data.open_source(spec, limit=3)
    assert_equal(here, data.open_source(f"folder:{STORE}", limit=3))
    assert_equal(here, data.open_source(f"folder:{STORE}/", limit=3))


def test_an_image_is_fetched_once_for_pixels_and_digest(bucket, tmp_path):
    put(tmp_path, "a.png", "b.png")
    moved(tmp_path)
    source = data.open_source(f"folder:{STORE}")
    bucket.requests.clear()
    source.read(0), source.digest_of(0)
    assert [what for what, _ in bucket.requests] == ["get"]


def test_a_run_folder_and_its_images(bucket):
    run = runs.open_run(STORE, {"job": "protect", "num_classes": 10})
    data.write_png(STORE / "images" / "a.png", np.full((4, 4, 1), 7, np.uint8))
    row = {"index": 5, "label": 3, "name": "a.png", "file": "images/a.png"}
    runs.append_records(run, [row])
    for spec in (f"folder:{STORE}", f"folder:{STORE}/images"):
        with pytest.raises(InputError, match="has not finished"):
            data.open_source(spec)
    runs.merge_records(run)
    runs.write_json(STORE / "summary.json", {"images": 1})
    source = data.open_source(f"folder:{STORE}")
    index, image, *rest = source.read(0)
    assert (index, *rest) == (5, 3, "a.png") and source.num_classes == 10
    np.testing.assert_array_equal(image, np.full((4, 4, 1), 7 / 255, np.float32))
    runs.append_records(run, [row | {"index": 6, "file": "../secret.png"}])
    with pytest.raises(InputError, match="leads out of the folder"):
        data.open_source(f"folder:{STORE}")


def test_arrays(bucket, tmp_path):
    x = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(3))
    moved(tmp_path)
    here = data.open_source(f"npz:{tmp_path / 'a.npz'}")
    assert_equal(here, data.open_source(f"npz:{STORE}/a.npz"))


def test_prepared_data_sets(bucket, tmp_path):
    prepare(tmp_path)
    moved(tmp_path)
    for split in ("train", "test[1:3]"):
        spec = f"tfds:tiny:{split}"
        here = data.open_source(spec, data_dir=str(tmp_path))
        bucket.requests.clear()
        there = data.open_source(spec, data_dir=str(STORE))
        assert_equal(here, there)
        fetched = {path for what, path in bucket.requests if what == "get"}
        other = "train" if split != "train" else "-test"
        assert not [path for path in fetched if f"{other}.array_record" in str(path)]

    def gone(what, path):
        if what == "get":
            raise ConnectionError("refused")

    bucket.fails = staticmethod(gone)
    with pytest.raises(StoreError, match="does not answer"):
        data.open_source(spec, data_dir=str(STORE))
    bucket.fails = None
    with pytest.raises(InputError, match="no data set 'huge' in s3://b/data"):
        data.open_source("tfds:huge:train", data_dir=str(STORE))


def test_data_sets_of_images(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(_arrayrecord_write, "_SHARD_SIZE", 3 * 60)
    data.write_part(tmp_path / "parts" / "0", rows_of(range(7)))
    data.merge_parts([tmp_path / "parts" / "0"], tmp_path / "images", num_classes=3)
    moved(tmp_path)
    for spec in ("arrayrecord:{}", "arrayrecord:{}/images", "folder:{}/images"):
        here, there = (
            data.open_source(spec.format(root)) for root in (tmp_path, STORE)
        )
        assert_equal(here, there)
    bucket.requests.clear()
    data.open_source(f"arrayrecord:{STORE}", limit=3).read(2)
    got = {path.rpartition("/")[2] for what, path in bucket.requests if what == "get"}
    assert [name for name in got if "array_record-" in name] == [
        "images-data.array_record-00000-of-00003"
    ]


def test_what_is_not_there_is_named(bucket):
    for spec in (f"folder:{STORE}", f"npz:{STORE}/a.npz"):
        with pytest.raises(InputError, match="s3://b/data"):
            data.open_source(spec)
    with pytest.raises(InputError, match="ftp:// is no store"):
        data.open_source("folder:ftp://host/x")


def test_a_store_that_is_gone_is_no_unreadable_image(bucket, tmp_path):
    put(tmp_path, "a.png", "b.png")
    moved(tmp_path)
    source = data.open_source(f"folder:{STORE}")

    def gone(what, path):
        raise ConnectionError("refused")

    bucket.fails = staticmethod(gone)
    with pytest.raises(StoreError, match="does not answer"):
        source.read(0)
    bucket.fails = None
    bucket.store.pop("/b/data/b.png")
    with pytest.raises(InputError, match="cannot read the image s3://b/data/b.png"):
        source.read(int(np.flatnonzero(np.array(source.files) == f"{STORE}/b.png")[0]))
