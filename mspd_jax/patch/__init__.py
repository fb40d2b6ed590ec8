"""Certified detection of patches: windows, ScaleCert, and what it is compared with.

windows = patch.cover((32, 32, 3), patch=5, per_axis=6)
detector = patch.scalecert(models.split(model, "stem"), windows, keep=0.05)
found = patch.detect(detector, image, budget=12)
"""

from mspd_jax.patch._cleanser import Pairs as Pairs
from mspd_jax.patch._cleanser import Recovery as Recovery
from mspd_jax.patch._cleanser import patch_cleanser, recover
from mspd_jax.patch._detector import Detection as Detection
from mspd_jax.patch._detector import Masked as Masked
from mspd_jax.patch._detector import detect
from mspd_jax.patch._evade import evade
from mspd_jax.patch._minority import minority_reports
from mspd_jax.patch._neurons import SELECTIONS as SELECTIONS
from mspd_jax.patch._neurons import limits as limits
from mspd_jax.patch._neurons import neuron_count as neuron_count
from mspd_jax.patch._neurons import prune_outside as prune_outside
from mspd_jax.patch._neurons import rank_neurons as rank_neurons
from mspd_jax.patch._neurons import score_shape as score_shape
from mspd_jax.patch._scalecert import scalecert
from mspd_jax.patch._windows import Hidden as Hidden
from mspd_jax.patch._windows import Windows as Windows
from mspd_jax.patch._windows import cover
from mspd_jax.patch._windows import gray_window as gray_window
from mspd_jax.patch._windows import hidden_by as hidden_by
from mspd_jax.patch._windows import hides as hides
from mspd_jax.patch._windows import most_hidden as most_hidden
from mspd_jax.patch._windows import patch_side as patch_side
from mspd_jax.patch._windows import random_window as random_window

# What users call; other rooms may import the rest.
__all__ = [
    "cover",
    "detect",
    "evade",
    "minority_reports",
    "patch_cleanser",
    "recover",
    "scalecert",
]
