"""Checks of an evaluation: what makes such numbers wrong, and whether it shows."""

from mspd_jax.evaluate.checks._attack import check_attack
from mspd_jax.evaluate.checks._check import (
    GRADIENT_CHECKS,
    Check,
    failed_lines,
    is_reliable,
)
from mspd_jax.evaluate.checks._constancy import check_constancy
from mspd_jax.evaluate.checks._model import check_model
from mspd_jax.evaluate.checks._programs import Subject, subject
from mspd_jax.evaluate.checks._results import check_results, check_sweep

__all__ = [
    "Check",
    "GRADIENT_CHECKS",
    "Subject",
    "check_attack",
    "check_constancy",
    "check_model",
    "check_results",
    "check_sweep",
    "failed_lines",
    "is_reliable",
    "subject",
]
