"""Evaluation: the judge, intervals, tables and pictures."""

from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._evaluate import Evaluated, evaluate_image, evaluation
from mspd_jax.evaluate._interval import Interval, wilson_interval
from mspd_jax.evaluate._judge import Verdict, judge

__all__ = [
    "Evaluated",
    "Interval",
    "Verdict",
    "accuracies",
    "evaluate_image",
    "evaluation",
    "judge",
    "wilson_interval",
]
