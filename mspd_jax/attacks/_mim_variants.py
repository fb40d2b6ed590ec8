"""The variants of `mim`, under the names and with the constants of their papers."""

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
    norm: str = "linf",
    diversity: float | jax.Array = 0.5,
    **options: Any,
) -> Proposal:
    """M-DI2-FGSM: each gradient at a resized and padded copy (Xie et al., 1803.06978).

    With decay=0 it is DI2-FGSM, the same without momentum.

    Args:
      key, predict, image, label, eps, norm: as in `mim`.
      diversity: probability that the copy is resized, traced.
      **options: the other keywords of `mim`.

    Returns:
      A Proposal.
    """
    options |= {"eps": eps, "norm": norm, "diversity": diversity}
    return mim(key, predict, image, label, **options)


def ti_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    kernel: int = 15,
    **options: Any,
) -> Proposal:
    """TI-MI-FGSM: gradients averaged over shifts of the image (Dong, 1904.02884).

    With decay=0 and steps=1 it is TI-FGSM, with decay=0 alone TI-BIM.

    Args:
      key, predict, image, label, eps, norm: as in `mim`.
      kernel: side of the Gaussian in pixels, odd, static.
      **options: the other keywords of `mim`.

    Returns:
      A Proposal.
    """
    options |= {"eps": eps, "norm": norm, "kernel": kernel}
    return mim(key, predict, image, label, **options)


def vmi_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    neighbors: int = 5,
    **options: Any,
) -> Proposal:
    """VMI-FGSM: gradients corrected by those of neighbors (Wang and He, 2103.15571).

    Args:
      key, predict, image, label, eps, norm: as in `mim`.
      neighbors: how many, static.
      **options: the other keywords of `mim`.

    Returns:
      A Proposal.
    """
    options |= {"eps": eps, "norm": norm, "neighbors": neighbors}
    return mim(key, predict, image, label, **options)


def ni_fgsm(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    norm: str = "linf",
    scales: int = 1,
    **options: Any,
) -> Proposal:
    """NI-FGSM: each gradient where the momentum leads to (Lin et al., 1908.06281).

    With scales=5 it is SI-NI-FGSM, which also averages over darker copies.

    Args:
      key, predict, image, label, eps, norm: as in `mim`.
      scales: how many copies, each half as bright as the one before; static.
      **options: the other keywords of `mim`.

    Returns:
      A Proposal.
    """
    options |= {"eps": eps, "norm": norm, "scales": scales, "nesterov": True}
    return mim(key, predict, image, label, **options)
