"""Evaluation: the judge, intervals, tables and pictures."""

from mspd_jax.evaluate._accuracy import accuracies
from mspd_jax.evaluate._evaluate import Evaluated, evaluate_image, evaluation
from mspd_jax.evaluate._interval import Interval, wilson_interval
from mspd_jax.evaluate._judge import Verdict, judge
from mspd_jax.evaluate._picture import Tile, amplified, comparison_picture
from mspd_jax.evaluate._tables import csv_table, interval, markdown_table, percent

__all__ = [
    "Evaluated",
    "Interval",
    "Tile",
    "Verdict",
    "accuracies",
    "amplified",
    "comparison_picture",
    "csv_table",
    "evaluate_image",
    "evaluation",
    "interval",
    "judge",
    "markdown_table",
    "percent",
    "wilson_interval",
]
