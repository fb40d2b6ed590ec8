"""The variants of `mim`, under the names and with the constants of their papers.

options: the other keywords of `mim`.
"""

from typing import Any

import jax

from mspd_jax.attacks._mim import mim
from mspd_jax.attacks._proposal import Predict, Proposal


def di_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    diversity: float | jax.Array = 0.5,
    **options: Any,
) -> Proposal:
    """M-DI2-FGSM: each gradient at a resized and padded copy (Xie et al., 1803.06978).

    diversity: probability that the copy is resized. With decay=0 it is DI2-FGSM, the
    same without momentum.
    """
    options |= {"eps": eps, "diversity": diversity}
    return mim(key, predict, image, label, **options)


def ti_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    kernel: int = 15,
    **options: Any,
) -> Proposal:
    """TI-MI-FGSM: gradients averaged over shifts of the image (Dong, 1904.02884).

    kernel: side of the Gaussian in pixels, odd. With decay=0 and steps=1 it is TI-FGSM,
    with decay=0 alone TI-BIM.
    """
    return mim(key, predict, image, label, eps=eps, kernel=kernel, **options)


def vmi_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    neighbors: int = 5,
    **options: Any,
) -> Proposal:
    """VMI-FGSM: gradients corrected by those of neighbors (Wang and He, 2103.15571).

    neighbors: how many. Their distance is `neighborhood` of `mim`.
    """
    return mim(key, predict, image, label, eps=eps, neighbors=neighbors, **options)


def ni_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    **options: Any,
) -> Proposal:
    """NI-FGSM: each gradient where the momentum leads to (Lin et al., 1908.06281).

    With scales=5 it is SI-NI-FGSM, which also averages over
    darker copies, each half as bright as the one before.
    """
    return mim(key, predict, image, label, eps=eps, nesterov=True, **options)
