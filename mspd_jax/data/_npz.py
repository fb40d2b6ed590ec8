"""`npz:PATH`: arrays `x` (images) and, if known, `y` (labels) of one NumPy archive."""

import os
import zipfile
import zlib

import numpy as np

from mspd_jax import paths
from mspd_jax.data._record import Source, array_source
from mspd_jax.errors import InputError, first_line

_BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


def open_npz(spec: str, rest: str, *, limit: int | None) -> Source:
    """Source of `x` [n, H, W, C] or [n, H, W], uint8 or float in [0, 1], and `y` [n].

    Nothing in the file is executed. The index is the row. Without `y` the images are
    unlabeled (-1). The number of classes is unknown, only the largest label is.
    """
    path = paths.as_path(os.path.expanduser(rest))
    if not paths.is_file(path):
        raise InputError(f"source {spec!r}: there is no file {path}")
    try:
        with paths.opened(path) as file:
            stored = np.load(file, allow_pickle=False)
            bare = isinstance(stored, np.ndarray)
            found = [] if bare else list(stored.files)
            arrays = {name: stored[name] for name in found if name in ("x", "y")}
    except _BROKEN as error:
        raise InputError(
            f"source {spec!r}: {path} is not a readable .npz archive "
            f"({first_line(error)})"
        ) from error
    if bare:
        raise InputError(
            f"source {spec!r}: {path} holds one bare array, wanted an .npz with x, y"
        )
    if "x" not in arrays:
        raise InputError(
            f"source {spec!r}: {path} has no array x (images); it holds {found}"
        )
    images = _check_images(spec, arrays["x"])
    labels = _check_labels(spec, arrays.get("y"), len(images))[:limit]
    images = images[:limit]
    return array_source(spec, images, labels, np.arange(len(images)), num_classes=None)


def _check_images(spec: str, images: np.ndarray) -> np.ndarray:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise InputError(
            f"source {spec!r}: x has shape {images.shape}, wanted [n, H, W], "
            "[n, H, W, 1] or [n, H, W, 3] with n >= 1 (channels last)"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(
            f"source {spec!r}: x has type {images.dtype}, wanted uint8 (0 to 255) or "
            "floats in [0, 1]"
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0.0 and high <= 1.0):  # also True for NaN
        raise InputError(
            f"source {spec!r}: x ranges from {low:.6g} to {high:.6g}, wanted floats in "
            "[0, 1] (divide by 255, undo a normalization) or uint8"
        )
    return images.astype(np.float32)


def _check_labels(spec: str, labels: np.ndarray | None, count: int) -> np.ndarray:
    if labels is None:
        return np.full(count, -1, np.int32)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"source {spec!r}: y has shape {labels.shape} and type {labels.dtype}, "
            f"wanted one integer for each of the {count} images"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < -1 or high > 2**31 - 1:
        raise InputError(
            f"source {spec!r}: y ranges from {low} to {high}, wanted classes from 0 "
            "(or -1 where unknown)"
        )
    return labels.astype(np.int32)
