"""Certified detection of patches: windows, ScaleCert, and what it is compared with."""

from mspd_jax.patch._cleanser import Pairs, Recovery, patch_cleanser, recover
from mspd_jax.patch._detector import LEAD, Masked, Verdict, contradict, detect
from mspd_jax.patch._doubts import MOST, NEAR, SWAPS, Doubts, doubts, exchange
from mspd_jax.patch._evade import Evasion, evade
from mspd_jax.patch._minority import minority_reports
from mspd_jax.patch._neurons import (
    WHOLE,
    Ranked,
    limits,
    neuron_count,
    prune,
    prune_outside,
    rank_neurons,
    shared_selections,
)
from mspd_jax.patch._passes import Answers, answer_of, in_passes
from mspd_jax.patch._scalecert import scalecert
from mspd_jax.patch._windows import (
    GREY,
    Hidden,
    Windows,
    cover,
    grey_window,
    hidden_by,
    hides,
    meets,
    most_hidden,
    patch_side,
    random_window,
)

__all__ = [
    "GREY",
    "LEAD",
    "MOST",
    "NEAR",
    "SWAPS",
    "WHOLE",
    "Answers",
    "Doubts",
    "Evasion",
    "Hidden",
    "Masked",
    "Pairs",
    "Ranked",
    "Recovery",
    "Verdict",
    "Windows",
    "answer_of",
    "contradict",
    "cover",
    "detect",
    "doubts",
    "exchange",
    "evade",
    "grey_window",
    "hidden_by",
    "hides",
    "in_passes",
    "limits",
    "meets",
    "minority_reports",
    "most_hidden",
    "neuron_count",
    "patch_cleanser",
    "patch_side",
    "prune",
    "prune_outside",
    "random_window",
    "rank_neurons",
    "recover",
    "scalecert",
    "shared_selections",
]
