"""The training set: one source or several, as arrays."""

import re
from typing import NamedTuple

import numpy as np

from mspd_jax.data import Source, load_arrays, open_source, select
from mspd_jax.errors import InputError


class Examples(NamedTuple):
    """A labeled data set in memory.

    images: uint8, or float32 in [0, 1], [n, H, W, C]. labels: int32 [n], -1 unknown.
    indices: int64 [n], unique: the data-set index for a single source, the place in the
    sequence for several. num_classes: as the data say, else largest label + 1.
    """

    images: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    num_classes: int


def open_sources(
    named: str | Source,
    *,
    data_dir: str | None = None,
    limit: int | None = None,
    labeled: bool = True,
) -> list[Source]:
    """The sources of a comma-separated list, `limit` images of each at most.

    named: the list, or a source that is open already. labeled: whether labels are
    needed. Raises InputError if one cannot be opened, has no labels (where they are
    needed), or does not fit the first in image shape or number of classes.
    """
    if isinstance(named, Source):
        few = None if limit is None else named.indices[:limit]
        sources = [named if few is None else select(named, few)]
    else:
        specs = re.split(r",(?=\w+:)", named)
        sources = [open_source(spec, data_dir=data_dir, limit=limit) for spec in specs]
    for source in sources:
        if labeled and not source.labelled:
            raise InputError(f"source {source.spec!r} has no labels to train on")
        for field in ("image_shape", *(["num_classes"] if labeled else [])):
            own, first = getattr(source, field), getattr(sources[0], field)
            if own != first:
                raise InputError(
                    f"sources differ in {field}: {sources[0].spec!r} has {first}, "
                    f"{source.spec!r} has {own}; train on sources that agree"
                )
    return sources


def load_examples(sources: list[Source], *, labeled: bool = True) -> Examples:
    """All images of the sources; 8-bit where all are.

    Raises InputError if one has no label and `labeled` asks for it.
    """
    arrays = [load_arrays(source) for source in sources]
    parts = [images for images, _ in arrays]
    if any(part.dtype != np.uint8 for part in parts):
        parts = [p / np.float32(255) if p.dtype == np.uint8 else p for p in parts]
    labels = np.concatenate([labels for _, labels in arrays])
    indices = np.arange(len(labels))
    if len(sources) == 1:
        images, indices = parts[0], sources[0].indices
    else:
        images = np.concatenate(parts)
    if labeled and labels.min() < 0:
        row = int(np.flatnonzero(labels < 0)[0])
        raise InputError(f"image {indices[row]} of the training data has no label")
    classes = sources[0].num_classes or max(2, int(labels.max()) + 1)
    return Examples(images, labels, indices, classes)
