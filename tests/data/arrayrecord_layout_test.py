"""What describes a data set: the files that TFDS itself would have written."""

import json
import os

import numpy as np
import pytest

from mspd_jax.data._arrayrecord_layout import (
    Layout,
    has_data_set,
    read_layout,
    read_table,
    unmark,
    write_layout,
)
from mspd_jax.errors import InputError

LAYOUT = Layout((2, 1), (4, 5, 3), 3, ("ant", "bee", "cow"))


def written(folder, layout=LAYOUT):
    indices, labels = np.array([3, 5, 2**32 - 1]), np.array([0, -1, 2])
    write_layout(folder, layout, num_bytes=99, indices=indices, labels=labels)
    return folder


@pytest.mark.parametrize("shape", [(4, 5, 3), (None, None, 1), (None, None, None)])
@pytest.mark.parametrize("num_classes", [3, None])
def test_the_features_are_as_tfds_writes_them(tmp_path, shape, num_classes):
    import tensorflow_datasets as tfds

    layout = LAYOUT._replace(shape=shape, num_classes=num_classes, class_names=None)
    written(tmp_path, layout)
    label = tfds.features.Scalar(np.int64)
    if num_classes:
        label = tfds.features.ClassLabel(num_classes=num_classes)
    features = tfds.features.FeaturesDict(
        {
            "index": tfds.features.Scalar(np.int64),
            "label": label,
            "name": tfds.features.Text(),
            "image": tfds.features.Tensor(
                shape=shape, dtype=np.uint8, encoding="bytes"
            ),
        }
    )
    (tmp_path / "tfds").mkdir()
    features.save_config(tmp_path / "tfds")
    found, wanted = (
        json.loads((folder / "features.json").read_text())
        for folder in (tmp_path, tmp_path / "tfds")
    )
    assert found == wanted
    assert read_layout("a", tmp_path) == layout


def test_tfds_reads_splits_and_classes(tmp_path):
    import tensorflow_datasets as tfds

    info = tfds.builder_from_directory(written(tmp_path)).info
    assert list(info.splits) == ["data"]
    assert info.splits["data"].shard_lengths == [2, 1]
    assert [path.name for path in info.splits["data"].filepaths] == [
        "images-data.array_record-00000-of-00002",
        "images-data.array_record-00001-of-00002",
    ]
    assert info.features["label"].names == ["ant", "bee", "cow"]
    assert info.supervised_keys == ("image", "label")


@pytest.mark.parametrize(
    "names", [("a", ""), ("a", "a"), ("a", " b"), ("a\n", "b"), ("a", "b\rc")]
)
def test_names_that_tfds_would_misread_are_left_out(tmp_path, names):
    import tensorflow_datasets as tfds

    written(tmp_path)
    written(tmp_path, LAYOUT._replace(num_classes=2, class_names=names))
    assert read_layout("a", tmp_path).class_names is None
    assert not (tmp_path / "label.labels.txt").exists()
    features = tfds.builder_from_directory(tmp_path).info.features
    assert features["label"].num_classes == 2


def test_the_table_comes_back(tmp_path):
    indices, labels = read_table("a", written(tmp_path), LAYOUT)
    assert indices.dtype == np.int64 and indices.tolist() == [3, 5, 2**32 - 1]
    assert labels.tolist() == [0, -1, 2]


def test_without_its_last_file_it_is_no_data_set(tmp_path):
    assert not has_data_set(tmp_path)
    assert has_data_set(written(tmp_path)) and has_data_set(str(tmp_path))
    unmark(tmp_path)
    assert not has_data_set(tmp_path)


def changed(name, change):
    def make(folder):
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return make


def cut(name):
    def make(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:-9])

    return make


def table(*indices):
    def make(folder):
        rows = np.array([(i, 0) for i in indices], [("index", "<i8"), ("label", "<i4")])
        np.save(folder / "images-index.npy", rows)

    return make


class Command:
    """What does something when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def pickled(folder):
    np.save(folder / "images-index.npy", np.array([Command()], object))


@pytest.mark.parametrize(
    "make, message",
    [
        (cut("dataset_info.json"), "JSONDecodeError"),
        (cut("features.json"), "JSONDecodeError"),
        (changed("dataset_info.json", lambda c: c.pop("splits")), "KeyError"),
        (changed("dataset_info.json", lambda c: c["splits"].clear()), "not enough"),
        (
            changed(
                "dataset_info.json",
                lambda c: c["splits"][0].update(shardLengths=["0"]),
            ),
            "no shards, or empty",
        ),
        (
            changed(
                "features.json",
                lambda c: c["featuresDict"]["features"]["image"].pop("tensor"),
            ),
            "KeyError: 'tensor'",
        ),
        (cut("images-index.npy"), "images-index.npy"),
        (pickled, "images-index.npy"),
        (table(1, 2), "2 rows, the shards 3"),
        (table(2, 1, 3), "do not rise"),
        (table(1, 1, 3), "do not rise"),
        (table(-1, 1, 3), "do not rise"),
        (table(1, 2, 2**32), "do not rise"),
    ],
)
def test_what_is_damaged_or_foreign_is_refused_in_one_line(
    tmp_path, monkeypatch, make, message
):
    make(written(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        read_table("a:b", tmp_path, read_layout("a:b", tmp_path))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"source 'a:b': {tmp_path} is no whole data")
    assert not (tmp_path / "unpickled").exists()
