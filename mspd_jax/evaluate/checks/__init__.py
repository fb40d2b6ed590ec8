"""Checks of an evaluation: what makes such numbers wrong, and whether it shows."""

from mspd_jax.evaluate.checks._attack import check_attack
from mspd_jax.evaluate.checks._check import GRADIENT_CHECKS, Check, reliable, told
from mspd_jax.evaluate.checks._model import check_model
from mspd_jax.evaluate.checks._results import check_results, check_sweep

__all__ = [
    "Check",
    "GRADIENT_CHECKS",
    "check_attack",
    "check_model",
    "check_results",
    "check_sweep",
    "reliable",
    "told",
]
