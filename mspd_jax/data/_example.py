"""A row of a data set as a serialized `tf.train.Example`, which TFDS and Grain read.

Its features are `index`, `label`, `name`, the levels of the image as raw bytes, and
their shape. The last two are `image/value` and `image/shape`, as TFDS calls what makes
a tensor of unknown dimensions. Where all images of a data set have one shape TFDS looks
for the bytes under `image` and passes over a shape, which is there all the same, so
that a record says of itself what it holds.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

ONE_SHAPE, ANY_SHAPE = "image", "image/value"
_SHAPE = "image/shape"
# The fields of tf.train.Feature by their numbers.
_BYTES, _INTEGERS = 1, 3
# Index, label, shape of the image, the name of its bytes.
Head = tuple[int, int, tuple[int, int, int], str]


class Row(NamedTuple):
    """An image as a data set keeps it.

    Attributes:
      index: number in the data set, int from 0.
      label: class, int, or -1 where it is unknown.
      name: relative file name for outputs of this image.
      levels: uint8 [H, W, 1 or 3].
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, on purpose
    label: int
    name: str
    levels: np.ndarray


def encode(row: Row, key: str = ONE_SHAPE) -> bytes:
    """The record of a row; the same row gives the same bytes.

    key: the name of the image's bytes, by which the data set's images are of one shape
    or of any.
    """
    levels = row.levels
    if levels.dtype != np.uint8 or levels.ndim != 3 or levels.shape[2] not in (1, 3):
        raise ValueError(
            "levels must be uint8 [H, W, 1] or [H, W, 3], got "
            f"{levels.dtype} {list(levels.shape)}"
        )
    index, label = _varint(int(row.index)), _packed(int(row.label))
    name = row.name.encode("utf-8", "surrogateescape")
    shape, pixels = _packed(*levels.shape), levels.tobytes()
    features = (
        *(_lead("index", _INTEGERS, len(index)), index),
        *(_lead("label", _INTEGERS, len(label)), label),
        *(_lead("name", _BYTES, len(name)), name),
        *(_lead(_SHAPE, _INTEGERS, len(shape)), shape),
        *(_lead(key, _BYTES, len(pixels)), pixels),
    )
    return b"\n%b%b" % (_varint(sum(map(len, features))), b"".join(features))


def decode(record: bytes) -> Row:
    """The row of a record; ValueError where it is none."""
    features = _features(record)
    index, label, shape, key = _head(features)
    try:
        levels = np.frombuffer(features[key].bytes_list.value[0], np.uint8)
        name = features["name"].bytes_list.value[0].decode("utf-8", "surrogateescape")
        return Row(index, label, name, levels.reshape(shape))
    except (IndexError, ValueError) as error:
        raise ValueError(f"it holds no image of shape {shape} ({error})") from error


def decode_head(record: bytes) -> Head:
    """What stands before the pixels of a record; ValueError where it is none."""
    return _head(_features(record))


def _features(record: bytes) -> Any:
    """The features of a record by name."""
    try:
        return _example_type().FromString(record).features.feature
    except Exception as error:  # DecodeError, which is a class of protobuf
        raise ValueError("it is no tf.train.Example") from error


def _head(features: Any) -> Head:
    try:
        height, width, channels = features[_SHAPE].int64_list.value
        index = features["index"].int64_list.value[0]
        label = features["label"].int64_list.value[0]
    except (IndexError, ValueError) as error:
        held = ", ".join(sorted(name for name in features if features[name].ByteSize()))
        raise ValueError(f"its features are {held or 'none'}") from error
    key = ONE_SHAPE if ONE_SHAPE in features else ANY_SHAPE
    return index, label, (height, width, channels), key


@functools.cache
def _example_type() -> Any:
    from tensorflow_datasets.proto import tf_example_pb2

    return tf_example_pb2.Example


# What follows is the encoding of protobuf. Its libraries take twice the time, and as
# the features are a map, each has them in an order of its own.


@functools.lru_cache(4096)
def _lead(name: str, kind: int, size: int) -> bytes:
    """What stands before the `size` bytes of a feature's values."""
    lead = b""
    for number in (1, kind, 2):  # the values, their list, the feature
        lead = b"%c%b%b" % (number << 3 | 2, _varint(len(lead) + size), lead)
    lead = b"\n%c%b%b" % (len(name), name.encode(), lead)
    return b"\n%b%b" % (_varint(len(lead) + size), lead)


@functools.lru_cache(4096)
def _packed(*values: int) -> bytes:
    return b"".join(map(_varint, values))


def _varint(value: int) -> bytes:
    """An integer, seven bits a byte; a negative one as 64 bits."""
    value &= 2**64 - 1
    found = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))
