"""Certifying from research code: what is found again, and what is refused."""

import dataclasses
import json

import pytest

from mspd_jax import jobs
from mspd_jax.errors import InputError
from tests.jobs.certifying import NOISE, NOISY, SIGMA, SOURCE


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return NOISY.run(tmp_path_factory.mktemp("noisy") / "out")


def test_the_same_call_finds_all_done(done):
    again = NOISY.run(done.folder)
    assert (again.records, again.summary) == (done.records, done.summary)


def test_another_sigma_is_another_run(done):
    method = dataclasses.replace(NOISE, sigma=0.3)
    with pytest.raises(InputError, match="another run .`sigma` was 0.25"):
        dataclasses.replace(NOISY, method=method).run(done.folder)


def test_every_other_image(tmp_path):
    found = dataclasses.replace(NOISY, every=2).run(tmp_path / "out")
    assert [r.index for r in found.records] == SOURCE.indices[::2].tolist()


def test_fields_of_the_method_stand_beside_those_of_the_job(done):
    fields = json.loads((done.folder / "run.json").read_text())["fields"]
    names = ("method", "sigma", "every")
    assert tuple(fields[name] for name in names) == ("smoothing", 0.25, 1)
    assert not {"denoiser", "patch", "keep"} & fields.keys()
    # How a classifier is asked decides nothing.
    assert not {"offline", "query_log", "query_rate", "chunk"} & fields.keys()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": None}, "name the classifier with `target`, or with `query`"),
        ({"method": jobs.Minority(patch=2), "target": None}, "with `target`$"),
        ({"method": jobs.ScaleCert(patch=2)}, "`method`=scalecert needs a target"),
        ({"method": jobs.Minority(patch=2, confidence=1.0)}, "`confidence`=1.0"),
        ({"method": jobs.Smoothing(sigma=SIGMA, samples=5)}, "5 samples"),
        (
            {"method": dataclasses.replace(NOISE, asking=jobs.Asking(query="ftp:x"))},
            "with `target`, or with `query`",
        ),
        (
            {
                "method": jobs.PatchCleanser(
                    patch=2, attacks=jobs.PatchAttacks(attack=("aware",))
                )
            },
            "`attack`=aware evades alerts",
        ),
        (
            {
                "method": jobs.Minority(
                    patch=2,
                    attacks=jobs.PatchAttacks(attack=("pgd",), attack_sample=2),
                )
            },
            "`attack_sample` goes with `attack`=aware",
        ),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(NOISY, **change).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["offline", "query_log"])
def test_answers_without_a_classifier_to_ask_are_refused(tmp_path, name):
    machine = jobs.CertifyMachine(**{name: True if name == "offline" else "LOG"})
    with pytest.raises(InputError, match=f"`{name}` goes with `query` alone"):
        NOISY.run(tmp_path / "out", machine)
