"""Preemptive defenses: what is done to an image before it is released."""

from mspd_jax.preempt._bilevel import bilevel, bilevel_reconstruct
from mspd_jax.preempt._mcgs import Cascade, mcgs, mcgs_from_noise
from mspd_jax.preempt._noise import smoothing_noise
from mspd_jax.preempt._protect import (
    Protected,
    Reverted,
    assumed_label,
    protect,
    revert,
)
from mspd_jax.preempt._smooth import smoothed_step

__all__ = [
    "Cascade",
    "Protected",
    "Reverted",
    "assumed_label",
    "bilevel",
    "bilevel_reconstruct",
    "mcgs",
    "mcgs_from_noise",
    "protect",
    "revert",
    "smoothed_step",
    "smoothing_noise",
]
