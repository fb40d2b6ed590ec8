"""Evaluation: the judge, intervals, tables and pictures."""

from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._assess import Assessment, assess, examine, num_classes
from mspd_jax.evaluate._certified import (
    CONFIDENCE,
    RADII,
    certified_accuracy,
    certified_curve,
    certified_plot,
    certified_totals,
)
from mspd_jax.evaluate._curve import Curve, accuracy_plot
from mspd_jax.evaluate._detected import detected_totals
from mspd_jax.evaluate._evaluate import Evaluated, evaluate_image, evaluation
from mspd_jax.evaluate._interval import Interval, wilson_interval
from mspd_jax.evaluate._judge import Verdict, judge
from mspd_jax.evaluate._picture import Tile, amplified, comparison_picture
from mspd_jax.evaluate._stages import Threat, run_stages
from mspd_jax.evaluate._tables import csv_table, interval, markdown_table, percent
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
    "Curve",
    "Evaluated",
    "Interval",
    "RADII",
    "Threat",
    "Tile",
    "Verdict",
    "accuracies",
    "accuracy_plot",
    "amplified",
    "assess",
    "certified_accuracy",
    "certified_curve",
    "certified_plot",
    "certified_totals",
    "check_attack",
    "check_model",
    "check_results",
    "check_sweep",
    "comparison_picture",
    "csv_table",
    "detected_totals",
    "evaluate_image",
    "evaluation",
    "examine",
    "failed_lines",
    "interval",
    "is_reliable",
    "judge",
    "markdown_table",
    "num_classes",
    "percent",
    "run_stages",
    "wilson_interval",
]
