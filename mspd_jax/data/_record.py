"""What a source of images is: a record per image, read by position."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Record(NamedTuple):
    """One image of a data set.

    Attributes:
      index: place in the data set, int; stable under limits, slices and restarts.
      image: float32 [H, W, C] in [0, 1]; 8-bit levels are `level / 255`.
      label: class, int, or -1 where it is unknown.
      name: relative file name for outputs of this image, always ending in `.png`.
    """

    index: int
    image: np.ndarray
    label: int
    name: str


class Source(NamedTuple):
    """An opened data set.

    Attributes:
      spec: the specification as given, for example `digits:test`.
      indices: data-set indices, int64 [n], strictly increasing.
      image_shape: (H, W, C), or None if the images differ or it is not known.
      num_classes: exact number of classes where the data says it, else None.
      max_label: largest label that can occur, -1 if there are none.
      class_names: one name per class, or None.
      labelled: whether the records carry labels.
      read: position in 0..n-1 -> Record; InputError names an unreadable image.
      shape_of: position -> (H, W, C) without decoding pixels, None if unreadable.
        The field itself is None where only `read` can tell.
      files: path of each image for messages, or None where there are no files.
    """

    spec: str
    indices: np.ndarray
    image_shape: tuple[int, int, int] | None
    num_classes: int | None
    max_label: int
    class_names: tuple[str, ...] | None
    labelled: bool
    read: Callable[[int], Record]
    shape_of: Callable[[int], tuple[int, int, int] | None] | None = None
    files: tuple[str, ...] | None = None


def output_name(index, label):
    """File name of an image that has none: `00042_7.png`, unlabelled `00042.png`."""
    return f"{index:05d}.png" if label < 0 else f"{index:05d}_{label}.png"


def array_source(spec, images, labels, indices, *, num_classes, class_names=None):
    """Source over arrays: images uint8 or float32 [n, H, W, C], labels int [n]."""

    def read(position):
        image, label = images[position], int(labels[position])
        index = int(indices[position])
        return Record(index, as_float(image), label, output_name(index, label))

    max_label = int(labels.max(initial=-1))
    return Source(
        spec=spec,
        indices=np.asarray(indices, np.int64),
        image_shape=tuple(images.shape[1:]),
        num_classes=num_classes,
        max_label=max_label,
        class_names=class_names,
        labelled=max_label >= 0,
        read=read,
    )


def as_float(image):
    """Image as float32 in [0, 1]; the one place where 8-bit levels become numbers."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255)
    return image.astype(np.float32)
