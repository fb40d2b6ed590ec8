"""Prepared TFDS data, made here without TensorFlow, and the shared CIFAR-10."""

import json
import sys

import numpy as np
import pytest

from mspd_jax.data import encode_png, load_arrays, open_source
from mspd_jax.data._digest import digest
from mspd_jax.errors import InputError

SHARDS = {"train": [3, 4], "test": [5]}


def pixels(split, index):
    seed = index + (100 if split == "train" else 0)
    return np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)


def prepare(root, name="tiny", version="1.0.0", file_format="array_record", **features):
    """Write a data set of two splits, `train` in two shards, as TFDS lays it out."""
    import tensorflow_datasets as tfds
    from array_record.python import array_record_module

    folder = root / name / version
    folder.mkdir(parents=True)
    features = features or {
        "image": tfds.features.Image(shape=(4, 6, 3)),
        "label": tfds.features.ClassLabel(names=["ant", "bee", "cow"]),
    }
    features = tfds.features.FeaturesDict(features)
    features.save_config(str(folder))
    info = {
        "name": name,
        "version": version,
        "fileFormat": file_format,
        "splits": [
            {
                "name": split,
                "numBytes": "1",
                "shardLengths": [str(length) for length in lengths],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
            for split, lengths in SHARDS.items()
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    serializer = tfds.core.example_serializer.ExampleSerializer(
        features.get_serialized_info()
    )
    for split, lengths in SHARDS.items():
        index = 0
        for shard, length in enumerate(lengths):
            file = f"{name}-{split}.array_record-{shard:05d}-of-{len(lengths):05d}"
            writer = array_record_module.ArrayRecordWriter(
                str(folder / file), "group_size:1"
            )
            for _ in range(length):
                values = {"image": encode_png(pixels(split, index)), "label": index % 3}
                values = {key: values.get(key, 0) for key in features}
                writer.write(serializer.serialize_example(values))
                index += 1
            writer.close()
    return folder


def test_images_labels_and_what_is_known(tmp_path):
    prepare(tmp_path)
    source = open_source("tfds:tiny:train", data_dir=str(tmp_path))
    assert source.image_shape == (4, 6, 3) and source.num_classes == 3
    assert source.class_names == ("ant", "bee", "cow") and source.labelled
    np.testing.assert_array_equal(source.indices, np.arange(7))
    images, labels = load_arrays(source)
    np.testing.assert_array_equal(images, [pixels("train", i) for i in range(7)])
    np.testing.assert_array_equal(labels, [i % 3 for i in range(7)])
    assert source.read(5).name == "00005_2.png"
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    "split, indices",
    [
        ("train[2:6]", [2, 3, 4, 5]),  # over the border of two shards
        ("train[-2:]", [5, 6]),
        ("test[:1]+test[3:]", [0, 3, 4]),
        ("test[40%:80%]", [2, 3]),
    ],
)
def test_a_slice_keeps_the_index_of_the_split(tmp_path, split, indices):
    prepare(tmp_path)
    source = open_source(f"tfds:tiny:{split}", data_dir=tmp_path)
    np.testing.assert_array_equal(source.indices, indices)
    for position, index in enumerate(indices):
        want = pixels(split.split("[")[0], index) / 255
        np.testing.assert_allclose(source.read(position).image, want, atol=1e-7)
    first = open_source(f"tfds:tiny:{split}", data_dir=tmp_path, limit=1)
    np.testing.assert_array_equal(first.indices, indices[:1])


def test_a_sum_of_splits_counts_through(tmp_path):
    prepare(tmp_path)
    source = open_source("tfds:tiny:test+train", data_dir=tmp_path)
    np.testing.assert_array_equal(source.indices, np.arange(12))
    np.testing.assert_allclose(
        source.read(6).image, pixels("train", 1) / 255, atol=1e-7
    )


def test_the_newest_version_is_read_unless_one_is_named(tmp_path):
    for version in ("9.0.0", "10.0.0"):
        prepare(tmp_path, version=version)
    (tmp_path / "tiny/9.0.0/tiny-test.array_record-00000-of-00001").write_bytes(b"")
    assert open_source("tfds:tiny:test", data_dir=tmp_path).read(0).index == 0
    with pytest.raises(InputError, match=r"9\.0\.0"):
        open_source("tfds:tiny/9.0.0:test", data_dir=tmp_path).read(0)


def test_the_fingerprint_is_that_of_the_shards_and_the_slice(tmp_path):
    for folder in ("one", "two"):
        prepare(tmp_path / folder)
    specs = ["train", "train[2:6]", "train[:2]", "train[1:3]", "test", "test+train"]
    prints = [
        [
            open_source(f"tfds:tiny:{s}", data_dir=tmp_path / f).fingerprint
            for s in specs
        ]
        for f in ("one", "two")
    ]
    assert prints[0] == prints[1] and len(set(prints[0])) == len(specs)
    limited = open_source("tfds:tiny:train", data_dir=tmp_path / "one", limit=2)
    assert limited.fingerprint == prints[0][2]
    # A byte of the second shard: what lies in the first is what it was.
    file = tmp_path / "two/tiny/1.0.0/tiny-train.array_record-00001-of-00002"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    changed = [
        open_source(f"tfds:tiny:{s}", data_dir=tmp_path / "two").fingerprint
        for s in specs
    ]
    same = [one == two for one, two in zip(prints[1], changed, strict=True)]
    assert same == [False, False, True, True, True, False]


def test_the_digest_is_that_of_the_stored_image_and_its_label(tmp_path):
    prepare(tmp_path)
    whole = open_source("tfds:tiny:train", data_dir=tmp_path)
    part = open_source("tfds:tiny:train[2:]", data_dir=tmp_path)
    digests = [whole.digest_of(i) for i in range(7)]
    assert len(set(digests)) == 7
    assert [part.digest_of(i) for i in range(5)] == digests[2:]
    assert digests[4] == digest("00004_1.png", 1, encode_png(pixels("train", 4)))


def test_images_with_an_alpha_channel_are_refused(tmp_path):
    import tensorflow_datasets as tfds

    prepare(tmp_path, image=tfds.features.Image(shape=(4, 6, 4)))
    with pytest.raises(InputError, match="alpha channel"):
        open_source("tfds:tiny:test", data_dir=tmp_path)


def test_unlabeled_images_of_many_sizes(tmp_path):
    import tensorflow_datasets as tfds

    prepare(tmp_path, image=tfds.features.Image(shape=(None, None, 1)))
    source = open_source("tfds:tiny:test", data_dir=tmp_path)
    assert source.image_shape is None and source.shape_of(0) == (4, 6, 1)
    assert not source.labelled and source.num_classes is None
    record = source.read(1)
    assert record.label == -1 and record.name == "00001.png"
    assert record.image.shape == (4, 6, 1)  # as declared, though stored in color


@pytest.mark.parametrize(
    "spec, message",
    [
        ("tfds:tiny", "wanted tfds:NAME:SPLIT"),
        ("tfds:big:test", r"no data set 'big' in .*; it holds tiny"),
        ("tfds:../data/tiny:test", r"no data set"),
        ("tfds:tiny:valid", r"the splits are train \(7\), test \(5\)"),
        ("tfds:tiny:test[:99]", r"incompatible with 5 examples.*test \(5\)"),
        ("tfds:tiny:test[a]", r"no split 'test\[a\]'"),
        ("tfds:tiny:test[3:3]", "selects no images"),
        ("tfds:tiny:test[3:]+test[:2]", "out of order"),
    ],
)
def test_what_is_not_there_is_answered_by_what_is(tmp_path, spec, message):
    prepare(tmp_path / "data")
    with pytest.raises(InputError, match=message) as caught:
        open_source(spec, data_dir=tmp_path / "data")
    assert "\n" not in str(caught.value)


def test_damaged_and_foreign_data_sets_are_refused_in_one_line(tmp_path):
    import tensorflow_datasets as tfds

    prepare(tmp_path, name="rows", file_format="tfrecord")
    prepare(tmp_path, name="words", label=tfds.features.ClassLabel(num_classes=2))
    (prepare(tmp_path, name="torn") / "features.json").write_text("{")
    (tmp_path / "bare" / "conf").mkdir(parents=True)
    for name, message in [
        ("rows", "array_record"),
        ("words", "one image feature, found 0 among label"),
        ("torn", r"cannot open .*torn"),
        ("bare", "no version folder such as 1.0.0; it holds conf"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            open_source(f"tfds:{name}:test", data_dir=tmp_path)
        assert "\n" not in str(caught.value)


def test_without_the_package_the_way_to_install_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match="pip install tensorflow-datasets"):
        open_source("tfds:tiny:test", data_dir=tmp_path)


@pytest.mark.slow
def test_cifar10_in_canonical_order(shared):
    source = open_source("tfds:cifar10_subset:test", data_dir=shared / "data")
    assert len(source.indices) == 512 and source.image_shape == (32, 32, 3)
    _, labels = load_arrays(source)
    # First labels of CIFAR-10's test batch: cat, ship, ship, airplane, frog, ...
    assert labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    # The same images, read by another program.
    golden = np.load(shared / "golden" / "mcgs_resnet20.npz")
    np.testing.assert_array_equal(labels[: len(golden["label"])], golden["label"])
    for position, image in enumerate(golden["image"]):
        np.testing.assert_allclose(source.read(position).image, image, atol=1e-6)
