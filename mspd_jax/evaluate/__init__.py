"""Evaluation: the judge, stages of attacks, totals, intervals and checks."""

from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._assess import Assessment, assess, examine, num_classes
from mspd_jax.evaluate._certified import (
    CONFIDENCE,
    RADII,
    certified_accuracy,
    certified_totals,
)
from mspd_jax.evaluate._detected import detected_totals
from mspd_jax.evaluate._interval import Interval, wilson_interval
from mspd_jax.evaluate._judge import Verdict, judge
from mspd_jax.evaluate._stages import Threat, run_stages
from mspd_jax.evaluate.checks import (
    GRADIENT_CHECKS,
    Check,
    check_attack,
    check_model,
    check_results,
    check_sweep,
    failed_lines,
    is_reliable,
)

__all__ = [
    "Assessment",
    "CONFIDENCE",
    "Check",
    "GRADIENT_CHECKS",
    "Interval",
    "RADII",
    "Threat",
    "Verdict",
    "accuracies",
    "assess",
    "certified_accuracy",
    "certified_totals",
    "check_attack",
    "check_model",
    "check_results",
    "check_sweep",
    "detected_totals",
    "examine",
    "failed_lines",
    "is_reliable",
    "judge",
    "num_classes",
    "run_stages",
    "wilson_interval",
]
