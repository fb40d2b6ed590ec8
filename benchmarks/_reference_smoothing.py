"""Votes of randomized smoothing in PyTorch, by the published procedure.

As Cohen et al. (2019) and Salman et al. (2020) do it: the image repeated to a batch,
noise added, labels moved to the host and counted there one by one. Importing this
module needs PyTorch.
"""

import math
from collections.abc import Callable

import numpy as np
import torch


def count_votes(
    model: Callable, image, *, sigma: float, num_samples: int, batch: int, classes: int
) -> np.ndarray:
    """How often each class is named; image: [C, H, W]. Returns int [classes]."""
    counts = np.zeros(classes, int)
    with torch.no_grad():
        for _ in range(math.ceil(num_samples / batch)):
            size = min(batch, num_samples)
            num_samples -= size
            images = image.repeat((size, 1, 1, 1))
            noise = torch.randn_like(images) * sigma
            labels = model(images + noise).argmax(1)
            for label in labels.cpu().numpy():
                counts[label] += 1
    return counts
