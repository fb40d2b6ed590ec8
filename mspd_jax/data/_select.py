"""Parts of a source, and sources made of arrays."""

from collections.abc import Collection, Sequence

import numpy as np

from mspd_jax.data._digest import digest
from mspd_jax.data._record import Record, Source, array_source
from mspd_jax.errors import InputError


def select(source: Source, indices: Collection[int]) -> Source:
    """The images of a source whose data-set index is among `indices`."""
    wanted = np.fromiter(indices, np.int64, len(indices))
    return _at(source, np.flatnonzero(np.isin(source.indices, wanted)))


def _at(source: Source, positions: np.ndarray | range) -> Source:
    """The images at these positions, a range where there may be very many."""
    shape_of, fingerprint_of = source.shape_of, source.fingerprint_of
    return source._replace(
        indices=source.indices[np.asarray(positions, np.int64)],
        read=lambda p: source.read(int(positions[p])),
        shape_of=shape_of and (lambda p: shape_of(int(positions[p]))),
        files=source.files and tuple(source.files[p] for p in positions),
        digest_of=lambda p: source.digest_of(int(positions[p])),
        fingerprint_of=fingerprint_of
        and (lambda chosen: fingerprint_of([int(positions[p]) for p in chosen])),
    )


def every(source: Source, step: int) -> Source:
    """Every `step`-th image of a source, the first included."""
    return select(source, source.indices[::step])


def shard(source: Source, place: int, count: int) -> Source:
    """Part `place`, from 1, of `count` parts of consecutive images.

    They are as even as can be, and keep the images' indices: together they are the
    source.
    """
    size = len(source.indices)
    if count > size:
        raise InputError(
            f"source {source.spec!r} has {size} images: {count} parts are too many"
        )
    start, stop = ((size * end) // count for end in (place - 1, place))
    return _at(source, range(start, stop))


def paired(source: Source, other: Source) -> Source:
    """The images of a source, each with that of the same index of another below it.

    The records hold images [2, H, W, C]. An image that has no partner of its own shape
    is as good as unreadable.
    """
    places = {int(index): place for place, index in enumerate(other.indices)}

    def read(position: int) -> Record:
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

    def digest_of(position: int) -> str | None:
        place = places.get(int(source.indices[position]))
        one = source.digest_of(position)
        two = None if place is None else other.digest_of(place)
        return None if one is None or two is None else digest(one, two)

    one_of, two_of = source.fingerprint_of, other.fingerprint_of

    def fingerprint_of(positions: Sequence[int]) -> str:
        assert one_of is not None and two_of is not None  # or it is not called
        found = [places.get(int(source.indices[p])) for p in positions]
        partners = [place for place in found if place is not None]
        return digest(one_of(positions), two_of(partners))

    known = one_of is not None and two_of is not None
    return source._replace(
        read=read,
        shape_of=None,
        image_shape=None,
        digest_of=digest_of,
        fingerprint_of=fingerprint_of if known else None,
    )


def from_arrays(images: np.ndarray, labels: np.ndarray) -> Source:
    """A source over images [n, H, W, C], uint8 or floats in [0, 1], and labels [n].

    Example:
      source = data.from_arrays(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4))
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(images):
        raise InputError(
            f"`images` of shape {images.shape} and `labels` of shape {labels.shape}: "
            "wanted [n, H, W, C] and [n]"
        )
    whole = images.dtype == np.uint8
    if not whole and not (images.min() >= 0.0 and images.max() <= 1.0):
        raise InputError(
            f"`images` range from {images.min():.6g} to {images.max():.6g}, wanted "
            "uint8 or floats in [0, 1] (divide by 255, undo a normalization)"
        )
    indices = np.arange(len(images))
    return array_source(
        "arrays", images, labels.astype(np.int32), indices, num_classes=None
    )
