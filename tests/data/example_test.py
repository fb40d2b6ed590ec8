"""Rows as serialized examples: what TFDS's own serializer gives, and back."""

import numpy as np
import pytest

from mspd_jax.data._example import (
    ANY_SHAPE,
    ONE_SHAPE,
    Row,
    decode,
    decode_head,
    encode,
)


def row_of(shape=(3, 5, 3), index=7, label=2, name="cat/tom.png"):
    levels = np.random.default_rng(index).integers(0, 256, shape, np.uint8)
    return Row(index, label, name, levels)


def serialized_by_tfds(row, shape):
    """The features of a row as TFDS serializes them, by name."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.proto import tf_example_pb2

    features = tfds.features.FeaturesDict(
        {
            "index": tfds.features.Scalar(np.int64),
            "label": tfds.features.ClassLabel(num_classes=10),
            "name": tfds.features.Text(),
            "image": tfds.features.Tensor(
                shape=shape, dtype=np.uint8, encoding="bytes"
            ),
        }
    )
    values = dict(zip(("index", "label", "name", "image"), row, strict=True))
    record = features.serialize_example(values)
    return dict(tf_example_pb2.Example.FromString(record).features.feature)


def features_of(record):
    from tensorflow_datasets.proto import tf_example_pb2

    return dict(tf_example_pb2.Example.FromString(record).features.feature)


@pytest.mark.parametrize("shape", [(3, 5, 3), (1, 4, 1)])
@pytest.mark.parametrize("label", [2, -1])
def test_a_record_is_that_of_tfds(shape, label):
    row = row_of(shape, label=label)
    found = features_of(encode(row, ANY_SHAPE))
    assert found == serialized_by_tfds(row, (None, None, shape[2]))
    found = features_of(encode(row, ONE_SHAPE))
    assert found.pop("image/shape").int64_list.value == list(shape)
    assert found == serialized_by_tfds(row, shape)


@pytest.mark.parametrize("key", [ONE_SHAPE, ANY_SHAPE])
@pytest.mark.parametrize(
    "row",
    [
        row_of(),
        row_of((2, 2, 1), index=2**32 - 1, label=-1),
        row_of()._replace(index=np.int64(9), label=np.int32(-1)),
        row_of(name="Katze/Müsli.png"),
        row_of(name="odd\udce4.png"),  # a name that is no UTF-8, as Python has it
        row_of()._replace(levels=row_of((6, 10, 3)).levels[::2, ::2]),
    ],
)
def test_a_row_comes_back(row, key):
    found = decode(encode(row, key))
    assert found[:3] == row[:3] and found.levels.dtype == np.uint8
    np.testing.assert_array_equal(found.levels, row.levels)
    head = (row.index, row.label, row.levels.shape, key)
    assert decode_head(encode(row, key)) == head


def test_a_record_by_hand():
    row = Row(300, -1, "a.png", np.full((1, 2, 1), 7, np.uint8))
    # A field is 8 * its number + 2, its length, its content: a name (1) and a feature
    # (2), which is a list of bytes (1) or of integers (3), with its values (1).
    entries = [
        b"\n\x05index" + b"\x12\x06\x1a\x04\n\x02\xac\x02",  # 300 = 2 * 128 + 44
        b"\n\x05label" + b"\x12\x0e\x1a\x0c\n\x0a" + b"\xff" * 9 + b"\x01",
        b"\n\x04name" + b"\x12\x09\n\x07\n\x05a.png",
        b"\n\x0bimage/shape" + b"\x12\x07\x1a\x05\n\x03\x01\x02\x01",
        b"\n\x05image" + b"\x12\x06\n\x04\n\x02\x07\x07",
    ]
    features = b"".join(b"\n" + bytes([len(entry)]) + entry for entry in entries)
    assert encode(row) == b"\n" + bytes([len(features)]) + features


@pytest.mark.parametrize(
    "levels",
    [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3))],
)
def test_what_is_no_image_is_refused(levels):
    with pytest.raises(ValueError, match="levels must be uint8"):
        encode(row_of()._replace(levels=levels))


def without(*names):
    """A record that lacks these features."""
    from tensorflow_datasets.proto import tf_example_pb2

    example = tf_example_pb2.Example.FromString(encode(row_of()))
    for name in names:
        del example.features.feature[name]
    return example.SerializeToString()


def test_what_is_no_record_is_refused_in_one_line():
    for record in (b"", b"\x99garbage", encode(row_of())[:-1], without("image")):
        with pytest.raises(ValueError) as caught:
            decode(record)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="its features are image, label, name$"):
        decode_head(without("image/shape", "index"))
