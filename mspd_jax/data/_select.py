"""Parts of a source, and sources made of arrays."""

from collections.abc import Collection

import numpy as np

from mspd_jax.data._record import Source, array_source
from mspd_jax.errors import InputError


def select(source: Source, indices: Collection[int]) -> Source:
    """The images of a source whose data-set index is among `indices`."""
    wanted = np.fromiter(indices, np.int64, len(indices))
    positions = np.flatnonzero(np.isin(source.indices, wanted))
    of = source.shape_of
    return source._replace(
        indices=source.indices[positions],
        read=lambda position: source.read(int(positions[position])),
        shape_of=None if of is None else lambda p: of(int(positions[p])),
        files=source.files and tuple(source.files[p] for p in positions),
    )


def every(source: Source, step: int) -> Source:
    """Every `step`-th image of a source, the first included."""
    return select(source, source.indices[::step])


def paired(source: Source, other: Source) -> Source:
    """The images of a source, each with that of the same index of another below it.

    The records hold images [2, H, W, C]. An image that has no partner of its own shape
    is as good as unreadable.
    """
    places = {int(index): place for place, index in enumerate(other.indices)}

    def read(position):
        record = source.read(position)
        if record.index not in places:
            raise InputError(f"source {other.spec!r} has no image {record.index}")
        partner = other.read(places[record.index])
        if partner.image.shape != record.image.shape:
            raise InputError(
                f"source {other.spec!r}: image {record.index} has shape "
                f"{partner.image.shape}, wanted {record.image.shape}"
            )
        return record._replace(image=np.stack([record.image, partner.image]))

    return source._replace(read=read, shape_of=None, image_shape=None)


def from_arrays(images: np.ndarray, labels: np.ndarray) -> Source:
    """A source over images [n, H, W, C], uint8 or floats in [0, 1], and labels [n]."""
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(images):
        raise InputError(
            f"images of shape {images.shape} and labels of shape {labels.shape}: "
            "wanted [n, H, W, C] and [n]"
        )
    whole = images.dtype == np.uint8
    if not whole and not (images.min() >= 0.0 and images.max() <= 1.0):
        raise InputError(
            f"images range from {images.min():.6g} to {images.max():.6g}, wanted uint8 "
            "or floats in [0, 1] (divide by 255, undo a normalization)"
        )
    return array_source(
        "arrays", images, labels.astype(np.int32), np.arange(len(images)),
        num_classes=None,
    )  # fmt: skip
