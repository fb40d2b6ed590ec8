"""Certified detection of patches: windows, ScaleCert, and what it is compared with.

windows = patch.cover((32, 32, 3), patch=5, per_axis=6)
detector = patch.scalecert(models.split(model, "stem"), windows, keep=0.05)
found = patch.detect(detector, image, budget=12)
"""

from mspd_jax.patch._cleanser import Pairs, Recovery, patch_cleanser, recover
from mspd_jax.patch._detector import Detection, Masked, detect
from mspd_jax.patch._evade import Evasion, evade
from mspd_jax.patch._minority import minority_reports
from mspd_jax.patch._neurons import (
    limits,
    neuron_count,
    prune_outside,
    rank_neurons,
)
from mspd_jax.patch._scalecert import scalecert
from mspd_jax.patch._windows import (
    Hidden,
    Windows,
    cover,
    gray_window,
    hidden_by,
    hides,
    most_hidden,
    patch_side,
    random_window,
)

__all__ = [
    "Detection",
    "Evasion",
    "Hidden",
    "Masked",
    "Pairs",
    "Recovery",
    "Windows",
    "cover",
    "detect",
    "evade",
    "gray_window",
    "hidden_by",
    "hides",
    "limits",
    "minority_reports",
    "most_hidden",
    "neuron_count",
    "patch_cleanser",
    "patch_side",
    "prune_outside",
    "random_window",
    "rank_neurons",
    "recover",
    "scalecert",
]
