"""Whether a model fits a source, whether its images changed, and sources as arrays."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from mspd_jax import paths
from mspd_jax.data._record import Source, as_float, if_readable
from mspd_jax.errors import InputError

_Shape = tuple[int, ...]
_Value = TypeVar("_Value")


def check_compatible(
    source: Source, *, image_shape: Sequence[int], num_classes: int | None
) -> None:
    """Raises InputError unless a model of that shape and class count can read `source`.

    Unreadable images are passed over: the driver reports them. Where the source does
    not know its shapes every image is read until one differs. image_shape: (H, W, C);
    num_classes: None for a model without classes.
    """
    wanted = tuple(image_shape)
    for position, shape in _shapes(source):
        if shape not in (None, wanted):
            raise InputError(
                f"source {source.spec!r}: {_where(source, position)} is {_say(shape)} "
                f"but the model reads {_say(wanted)}; give images of that size or "
                f"another model{_resized(source, shape, wanted)}"
            )
    if num_classes is None:
        return
    if source.num_classes is not None and source.num_classes != num_classes:
        raise InputError(
            f"source {source.spec!r} has {source.num_classes} classes but the model "
            f"has {num_classes}; give the model that was trained for this data"
        )
    if source.max_label >= num_classes:
        raise InputError(
            f"source {source.spec!r} has labels up to {source.max_label} but the model "
            f"has {num_classes} classes (0 to {num_classes - 1})"
        )


def check_unchanged(
    source: Source, indices: np.ndarray, digests: Iterable[str | None]
) -> list[int]:
    """Raises InputError naming an image that is not what it was when it was recorded.

    So that a run that is continued never mixes results of two images of one name.
    digests: of each index what `source.digest_of` said then; None is not checked.
    Returns those of the indices that the source does not have any more.
    """
    known = np.isin(indices, source.indices)
    places = np.searchsorted(source.indices, indices[known]).tolist()
    found = _each(source, source.digest_of, places)
    recorded = itertools.compress(digests, known)
    for place, before, now in zip(places, recorded, found, strict=True):
        if before is not None and now != before:
            what = "cannot be read" if now is None else "has another content or label"
            raise InputError(
                f"source {source.spec!r}: {_where(source, place)} {what}, unlike when "
                "this run did it; put the old one back, or name another folder for the "
                "results"
            )
    return indices[~known].tolist()


def load_arrays(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """All images and labels of a source, for training.

    Returns images [n, H, W, C], uint8 where every image is 8-bit and float32 in [0, 1]
    otherwise, and labels int32 [n] (-1 = unknown). Unlike the driver it stops at an
    unreadable image (InputError): a training set must be whole.
    """
    labels = np.empty(len(source.indices), np.int32)
    images = np.empty((len(labels), 0, 0, 0), np.uint8)
    records = _each(source, source.read, range(len(source.indices)))
    for position, record in enumerate(records):
        if position == 0:
            images = np.empty((len(labels), *record.image.shape), np.uint8)
        if record.image.shape != images.shape[1:]:
            raise InputError(
                f"source {source.spec!r}: {_where(source, position)} is "
                f"{_say(record.image.shape)} but the first image is "
                f"{_say(images.shape[1:])}; training needs one size"
            )
        labels[position] = record.label
        stored = record.image
        if images.dtype == np.uint8:
            levels = np.rint(stored * np.float32(255)).astype(np.uint8)
            if np.array_equal(as_float(levels), stored):
                stored = levels
            else:
                images = as_float(images)
        images[position] = stored
    return images, labels


def _each(
    source: Source, function: Callable[[int], _Value], positions: Sequence[int]
) -> Iterator[_Value]:
    """What a function gives for each position; at once where files lie in a store."""
    if source.files and paths.is_store(source.files[0]):
        return paths.side_by_side(function, positions)
    return map(function, positions)


def _shapes(source: Source) -> Iterable[tuple[int, _Shape | None]]:
    positions = range(len(source.indices))
    if source.shape_of is not None:
        return ((position, source.shape_of(position)) for position in positions)
    if source.image_shape is not None:
        return [(0, source.image_shape)]
    records = (if_readable(source.read, position) for position in positions)
    return enumerate(record and record.image.shape for record in records)


def _resized(source: Source, shape: _Shape, wanted: _Shape) -> str:
    """How images may come to the size that is wanted."""
    if len(shape) != 3 or shape[2] != wanted[2]:
        return ""
    return f", or resize them: resize{wanted[0]}x{wanted[1]}-bicubic:{source.spec}"


def _where(source: Source, position: int) -> str:
    if source.files is not None:
        return source.files[position]
    return f"image {source.indices[position]}"


def _say(shape: _Shape) -> str:
    height, width, channels = shape
    return f"{height}x{width} with {channels} channel{'s' if channels > 1 else ''}"
