"""Evaluation: the judge, stages of attacks, totals, intervals and checks."""

from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._accuracy import survives as survives
from mspd_jax.evaluate._assess import Assessment as Assessment
from mspd_jax.evaluate._assess import assess, examine
from mspd_jax.evaluate._assess import num_classes as num_classes
from mspd_jax.evaluate._assess import planned as planned
from mspd_jax.evaluate._assess import run_checks as run_checks
from mspd_jax.evaluate._certified import CONFIDENCE as CONFIDENCE
from mspd_jax.evaluate._certified import RADII as RADII
from mspd_jax.evaluate._certified import certified_accuracy, certified_totals
from mspd_jax.evaluate._detected import detected_totals
from mspd_jax.evaluate._interval import wilson_interval
from mspd_jax.evaluate._judge import Verdict as Verdict
from mspd_jax.evaluate._judge import judge
from mspd_jax.evaluate._stages import Threat as Threat
from mspd_jax.evaluate._stages import run_stages as run_stages
from mspd_jax.evaluate._stages import stage_programs as stage_programs
from mspd_jax.evaluate.checks._attack import check_attack as check_attack
from mspd_jax.evaluate.checks._check import GRADIENT_CHECKS as GRADIENT_CHECKS
from mspd_jax.evaluate.checks._check import Check as Check
from mspd_jax.evaluate.checks._check import failed_lines as failed_lines
from mspd_jax.evaluate.checks._check import is_reliable as is_reliable
from mspd_jax.evaluate.checks._model import check_model as check_model
from mspd_jax.evaluate.checks._results import check_results as check_results
from mspd_jax.evaluate.checks._results import check_sweep as check_sweep

# What users call; other rooms may import the rest.
__all__ = [
    "accuracies",
    "assess",
    "certified_accuracy",
    "certified_totals",
    "detected_totals",
    "examine",
    "judge",
    "wilson_interval",
]
