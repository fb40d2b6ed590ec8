"""Evaluation: the judge, stages of attacks, totals, intervals and checks."""

from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._assess import Assessment, assess, examine
from mspd_jax.evaluate._assess import num_classes as num_classes
from mspd_jax.evaluate._certified import CONFIDENCE as CONFIDENCE
from mspd_jax.evaluate._certified import RADII as RADII
from mspd_jax.evaluate._certified import certified_accuracy, certified_totals
from mspd_jax.evaluate._detected import detected_totals
from mspd_jax.evaluate._interval import Interval, wilson_interval
from mspd_jax.evaluate._judge import Verdict, judge
from mspd_jax.evaluate._stages import Threat as Threat
from mspd_jax.evaluate._stages import run_stages as run_stages
from mspd_jax.evaluate.checks import GRADIENT_CHECKS as GRADIENT_CHECKS
from mspd_jax.evaluate.checks import Check
from mspd_jax.evaluate.checks import check_attack as check_attack
from mspd_jax.evaluate.checks import check_model as check_model
from mspd_jax.evaluate.checks import check_results as check_results
from mspd_jax.evaluate.checks import check_sweep as check_sweep
from mspd_jax.evaluate.checks import failed_lines as failed_lines
from mspd_jax.evaluate.checks import is_reliable as is_reliable

# What users call; other rooms may import the rest.
__all__ = [
    "Assessment",
    "Check",
    "Interval",
    "Verdict",
    "accuracies",
    "assess",
    "certified_accuracy",
    "certified_totals",
    "detected_totals",
    "examine",
    "judge",
    "wilson_interval",
]
