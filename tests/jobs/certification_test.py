"""Types of certifications describe every field of records and totals."""

import pytest

from mspd_jax import evaluate, jobs
from mspd_jax.jobs._result import typed

TIMING = {"seconds": 1.0, "images_computed": 2, "images_per_second": None}
NOISE = {
    "index": 0,
    "label": 3,
    "prediction": 3,
    "radius": 0.1,
    "correct": True,
    "selection": [1],
    "estimation": [9],
    "drawn": 9,
}
PATCH = {
    "index": 0,
    "label": 3,
    "prediction": 3,
    "alert": False,
    "certified": True,
    "correct": True,
    "asked": [0],
    "votes": [3],
    "predictions": 2,
    "attacks": {"pgd": {"prediction": 3, "alert": False}},
}


def test_under_noise():
    record = typed(jobs.NoiseRecord, NOISE)
    assert (record.radius, record.drawn) == (0.1, 9)
    totals = evaluate.certified_totals([NOISE], alpha=0.01)
    found = typed(jobs.NoiseSummary, {"images": 1, **TIMING, **totals, "warnings": []})
    assert found.mean_radius == pytest.approx(0.1)


def test_against_patches():
    assert typed(jobs.PatchRecord, PATCH).attacks == PATCH["attacks"]
    sizes = {"patch": 2, "windows": 9}
    totals = sizes | evaluate.detected_totals([PATCH])
    found = typed(jobs.PatchSummary, {"images": 1, **TIMING, **totals, "warnings": []})
    assert (found.broken_certificates, found.undetected) == (0, {"pgd": 0.0})
