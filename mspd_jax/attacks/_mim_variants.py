"""The variants of `mim`, under the names and with the constants of their papers.

Each takes eps, which must be given, and the other options of `mim`, its own included.
"""

from typing import Any

import jax

from mspd_jax.attacks._mim import mim
from mspd_jax.attacks._proposal import Predict, Proposal


def di_fgsm(
    key: jax.Array, predict: Predict, image: jax.Array, label: jax.Array, **options: Any
) -> Proposal:
    """M-DI2-FGSM: each gradient at a resized and padded copy (Xie et al., 1803.06978).

    `mim` with diversity=0.5, the probability that the copy is resized, unless `options`
    say otherwise. With decay=0 it is DI2-FGSM, the same without momentum.
    """
    return mim(key, predict, image, label, **{"diversity": 0.5} | options)


def ti_fgsm(
    key: jax.Array, predict: Predict, image: jax.Array, label: jax.Array, **options: Any
) -> Proposal:
    """TI-MI-FGSM: gradients averaged over shifts of the image (Dong, 1904.02884).

    `mim` with kernel=15, the side of the Gaussian in pixels, unless `options` say
    otherwise. With decay=0 and steps=1 it is TI-FGSM, with decay=0 alone TI-BIM.
    """
    return mim(key, predict, image, label, **{"kernel": 15} | options)


def vmi_fgsm(
    key: jax.Array, predict: Predict, image: jax.Array, label: jax.Array, **options: Any
) -> Proposal:
    """VMI-FGSM: gradients corrected by those of neighbors (Wang and He, 2103.15571).

    `mim` with neighbors=5 unless `options` say otherwise.
    """
    return mim(key, predict, image, label, **{"neighbors": 5} | options)


def ni_fgsm(
    key: jax.Array, predict: Predict, image: jax.Array, label: jax.Array, **options: Any
) -> Proposal:
    """NI-FGSM: each gradient where the momentum leads to (Lin et al., 1908.06281).

    `mim` with nesterov=True. With scales=5 it is SI-NI-FGSM, which also averages over
    darker copies, each half as bright as the one before.
    """
    return mim(key, predict, image, label, nesterov=True, **options)
