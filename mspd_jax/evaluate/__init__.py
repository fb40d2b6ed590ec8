"""Evaluation: the judge, intervals, tables and pictures."""

from mspd_jax.evaluate._interval import Interval, wilson_interval
from mspd_jax.evaluate._judge import Verdict, judge

__all__ = ["Interval", "Verdict", "judge", "wilson_interval"]
