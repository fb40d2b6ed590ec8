"""Certificates against patches: what detectors say of each image."""

import functools

import jax
import numpy as np
import pytest

from mspd_jax import data, evaluate, jobs, patch
from mspd_jax.jobs._result import typed
from tests.jobs.certifying import PREDICT, SOURCE
from tests.patch import soundness_test as small


@pytest.mark.parametrize("name", ["minority", "patchcleanser"])
def test_records_against_patches(tmp_path, name):
    kind = {"minority": jobs.Minority, "patchcleanser": jobs.PatchCleanser}[name]
    attacks = jobs.PatchAttacks(attack=("pgd",), attack_steps=2, attack_positions=1)
    method = kind(patch=2, windows=2, attacks=attacks)
    job = jobs.Certify(target=PREDICT, source=SOURCE, method=method)
    found = job.run(tmp_path / "out")
    windows = patch.cover((8, 8, 1), patch=2, per_axis=2)
    if name == "minority":
        asked = patch.minority_reports(PREDICT, windows)
        ask = functools.partial(patch.detect, asked, budget=4)
    else:
        asked = patch.patch_cleanser(PREDICT, windows)
        ask = functools.partial(patch.recover, asked, budget=4)
    ask = jax.jit(ask)
    for place, record in enumerate(found.records):
        said = ask(SOURCE.read(place).image)
        assert record.prediction == int(said.label)
        assert record.certified == bool(said.certified)
        assert record.votes == said.windows.tolist()
        assert record.attacks.keys() == {"pgd"}
    assert (found.summary.patch, found.summary.windows) == (2, 4)
    assert found.summary.broken_certificates == 0


def test_scalecert_selects_what_it_is_asked_to(tmp_path):
    images = small.pictures(3, 6)
    source = data.from_arrays(images, np.zeros(6, int))
    method = jobs.ScaleCert(patch=2, windows=3, keep=0.2, cut="layer0", select="places")
    job = jobs.Certify(target=small.network(3), source=source, method=method)
    found = job.run(tmp_path / "out").records
    same = {}
    for select in patch.SELECTIONS:
        asked = small.scalecert(3, keep=0.2, select=select)
        ask = jax.jit(functools.partial(patch.detect, asked, budget=9))
        said = [np.asarray(ask(image).windows) for image in images]
        same[select] = [
            record.votes == windows[record.asked].tolist()
            for record, windows in zip(found, said, strict=True)
        ]
    assert all(same["places"]) and not all(same["neurons"])


TIMING = {"seconds": 1.0, "images_computed": 2, "images_per_second": None}
RECORD = {
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


def test_types_describe_every_field_of_records_and_totals():
    assert typed(jobs.PatchRecord, RECORD).attacks == RECORD["attacks"]
    sizes = {"patch": 2, "windows": 9}
    totals = sizes | evaluate.detected_totals([RECORD])
    found = typed(jobs.PatchSummary, {"images": 1, **TIMING, **totals, "warnings": []})
    assert (found.broken_certificates, found.undetected) == (0, {"pgd": 0.0})
