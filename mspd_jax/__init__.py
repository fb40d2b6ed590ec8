"""Preemptive adversarial defence: images, models and attacks as plain functions."""

__version__ = "0.1.0"
