"""Classifiers that a main asks by name, as a user's own module would hold them."""

import itertools

import numpy as np

_BATCHES = itertools.count()


def second(images: np.ndarray) -> list[int]:
    """The second class for all images; of every tenth batch one has no class."""
    labels = [1] * len(images)
    if next(_BATCHES) % 10 == 0:
        labels[0] = -1
    return labels


def scalar(images: np.ndarray) -> int:
    """No answer for a batch."""
    del images
    return 3
