"""What a source of images is: a record per image, read by position."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from mspd_jax.data._digest import array_digest, digest
from mspd_jax.errors import InputError

_Value = TypeVar("_Value")


class Record(NamedTuple):
    """One image of a data set.

    Attributes:
      index: number in the data set, int; stable under limits, slices and restarts.
      image: float32 [H, W, C] in [0, 1]; 8-bit levels are `level / 255`.
      label: class, int, or -1 where it is unknown.
      name: relative file name for outputs of this image, always ending in `.png`.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, on purpose
    image: np.ndarray
    label: int
    name: str


class Source(NamedTuple):
    """An opened data set.

    Attributes:
      spec: the specification, for example `digits:test`.
      indices: data-set indices, int64 [n], strictly increasing, below 2^32.
      image_shape: (H, W, C), or None if the images differ or it is not known.
      num_classes: exact number of classes where the data says it, else None.
      max_label: largest label that can occur, -1 if there are none.
      class_names: one name per class, or None.
      labelled: whether the records carry labels.
      read: position in 0..n-1 -> Record; InputError names an unreadable image.
      shape_of: position -> (H, W, C) without decoding pixels, None if unreadable.
        The field itself is None where only `read` can tell.
      files: path of each image for messages, or None where there are no files.
      digest_of: position -> hash of the content, label and name of the image, None
        where it is not known. Reads the image, does not decode it.
      fingerprint_of: positions -> hash that changes whenever one of these images does;
        None where it is not known.
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
    digest_of: Callable[[int], str | None] = lambda position: None
    fingerprint_of: Callable[[Sequence[int]], str] | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of the images with their indices, labels and names, and of the classes.

        Worked out at each call, within a second or two: contents up to 256 MB, beyond
        that the sizes of files and their times of change. Where the data lies does not
        matter. Empty for a source that does not know its data.
        """
        if self.fingerprint_of is None:
            return ""
        classes = self.class_names or ()
        images = self.fingerprint_of(range(len(self.indices)))
        return digest(images, self.num_classes, *classes)


def if_readable(function: Callable[..., _Value], *args: Any) -> _Value | None:
    """What the function returns; None where an image cannot be read."""
    try:
        return function(*args)
    except InputError:
        return None


def output_name(index: int, label: int) -> str:
    """File name of an image that has none: `00042_7.png`, unlabeled `00042.png`."""
    return f"{index:05d}.png" if label < 0 else f"{index:05d}_{label}.png"


def array_source(
    spec: str,
    images: np.ndarray,
    labels: np.ndarray,
    indices: np.ndarray,
    *,
    num_classes: int | None,
    class_names: tuple[str, ...] | None = None,
) -> Source:
    """Source over arrays: images uint8 or float [n, H, W, C], labels int [n]."""
    indices = np.asarray(indices, np.int64)

    def read(position: int) -> Record:
        image, label = images[position], int(labels[position])
        index = int(indices[position])
        return Record(index, as_float(image), label, output_name(index, label))

    def digest_of(position: int) -> str:
        index, label = int(indices[position]), int(labels[position])
        pixels = array_digest(images, [position])
        return digest(output_name(index, label), label, pixels)

    def fingerprint_of(positions: Sequence[int]) -> str:
        arrays = (images, labels, indices)
        return digest(*(array_digest(array, positions) for array in arrays))

    max_label = int(labels.max(initial=-1))
    return Source(
        spec=spec,
        indices=indices,
        image_shape=tuple(images.shape[1:]),
        num_classes=num_classes,
        max_label=max_label,
        class_names=class_names,
        labelled=max_label >= 0,
        read=read,
        digest_of=digest_of,
        fingerprint_of=fingerprint_of,
    )


def as_float(image: np.ndarray) -> np.ndarray:
    """Image as float32 in [0, 1]; the one place where levels become numbers."""
    if image.dtype in (np.uint8, np.uint16):
        return np.divide(image, np.iinfo(image.dtype).max, dtype=np.float32)
    return image.astype(np.float32)
