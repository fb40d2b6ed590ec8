"""Certifying from research code: functions and sources in, typed results out."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import data, jobs, models, patch, query, smoothing
from mspd_jax.errors import InputError
from mspd_jax.streams import stream

SIGMA = 0.25
NOISE = jobs.Smoothing(sigma=SIGMA, samples=120, selection=20, alpha=0.01)
WEIGHTS = jax.random.normal(jax.random.key(0), (64, 10)) / 8


def network(weights, image):
    return image.ravel() @ weights


PREDICT = Partial(network, WEIGHTS)


@pytest.fixture(scope="module")
def source():
    return data.open_source("digits:test", limit=5)


@pytest.fixture(scope="module")
def noisy(source, tmp_path_factory):
    """A job under noise, and its result."""
    job = jobs.Certify(target=PREDICT, source=source, method=NOISE)
    return job, job.run(tmp_path_factory.mktemp("noisy") / "out")


def test_records_are_what_the_library_certifies(source, noisy):
    _, done = noisy
    assert [r.index for r in done.records] == source.indices.tolist()
    plan = smoothing.stopping_plan(
        selection=20, estimation=120, sigma=SIGMA, alpha=0.01
    )
    count = functools.partial(smoothing.smoothed_votes, sigma=SIGMA, chunk=6)
    count = jax.jit(count)
    for place, record in enumerate(done.records):
        image = source.read(place)
        key = jax.random.fold_in(stream(0, "certify"), image.index)
        label = np.int32(image.label)
        votes = jax.device_get(count(key, PREDICT, image.image, label, plan=plan))
        assert record.estimation == votes.estimation.tolist()
        certificate = smoothing.certify_votes(
            votes.selection, votes.estimation, num_samples=120, sigma=SIGMA, alpha=0.01
        )
        assert record.radius == certificate.radius
        assert record.prediction == certificate.label
    radii = [r.radius if r.correct else 0.0 for r in done.records]
    assert done.summary.mean_radius == pytest.approx(np.mean(radii))
    assert done.summary.images == 5 and done.unreadable == ()
    assert any(radii)


def test_the_same_call_finds_all_done(noisy):
    job, done = noisy
    again = job.run(done.folder)
    assert (again.records, again.summary) == (done.records, done.summary)


def test_another_sigma_is_another_run(noisy):
    job, done = noisy
    method = dataclasses.replace(NOISE, sigma=0.3)
    with pytest.raises(InputError, match="another run .fields.sigma was 0.25"):
        dataclasses.replace(job, method=method).run(done.folder)


def test_fields_of_the_method_stand_beside_those_of_the_job(noisy):
    fields = json.loads((noisy[1].folder / "run.json").read_text())["fields"]
    assert (fields["method"], fields["sigma"], fields["every"]) == (
        "smoothing",
        0.25,
        1,
    )
    assert not {"denoiser", "patch", "keep"} & fields.keys()
    # How a classifier is asked decides nothing.
    assert not {"offline", "query_log", "query_rate", "chunk"} & fields.keys()


def test_a_function_that_is_asked_has_the_votes_of_the_model(source, noisy, tmp_path):
    ask = jax.jit(jax.vmap(PREDICT))
    asked = []

    def classify(images):
        asked.append(len(images))
        padded = np.zeros((32, 8, 8, 1), np.float32)
        padded[: len(images)] = images
        return np.asarray(ask(padded))[: len(images)]

    classifier = query.Classifier("mine?token=x", classify, lambda: None)
    asking = jobs.Asking(query=classifier, num_classes=10)
    method = dataclasses.replace(NOISE, asking=asking)
    job = jobs.Certify(source=source, method=method)
    found = job.run(tmp_path / "out")
    assert found.records == noisy[1].records
    assert sum(asked) == sum(20 + record.drawn for record in found.records)
    # From the answers alone.
    machine = jobs.CertifyMachine(offline=True, query_log=tmp_path / "out")
    assert job.run(tmp_path / "again", machine).records == found.records
    assert sum(asked) == sum(20 + record.drawn for record in found.records)


def brighter(image):
    return image + 0.1


def test_a_denoiser_may_be_a_function(source, tmp_path):
    options = {"sigma": SIGMA, "samples": 40, "selection": 10, "alpha": 0.01}
    method = jobs.Denoised(denoiser=brighter, **options)
    job = jobs.Certify(target=PREDICT, source=source, method=method)
    found = job.run(tmp_path / "one")
    front = smoothing.denoised(PREDICT, brighter)
    same = jobs.Certify(target=front, source=source, method=jobs.Smoothing(**options))
    assert found.records == same.run(tmp_path / "two").records


def test_a_denoiser_is_named_by_its_architecture():
    spec = models.ModelSpec(
        "dncnn", {"depth": 3, "width": 4}, (0.0,), (1.0,), 0, (8, 8, 1), {}
    )
    model = models.create_model(jax.random.key(1), spec)
    method = jobs.Denoised(denoiser=model, sigma=SIGMA)
    job = jobs.Certify(target=PREDICT, source="digits:test", method=method)
    assert jobs.fields_of(job)["denoiser"] == "dncnn"


@pytest.mark.parametrize("name", ["minority", "patchcleanser"])
def test_records_against_patches(source, tmp_path, name):
    kind = {"minority": jobs.Minority, "patchcleanser": jobs.PatchCleanser}[name]
    attacks = jobs.PatchAttacks(attack=("pgd",), attack_steps=2, attack_positions=1)
    method = kind(patch=2, windows=2, attacks=attacks)
    job = jobs.Certify(target=PREDICT, source=source, method=method)
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
        said = ask(source.read(place).image)
        assert record.prediction == int(said.label)
        assert record.certified == bool(said.certified)
        assert record.votes == said.windows.tolist()
        assert record.attacks.keys() == {"pgd"}
    assert (found.summary.patch, found.summary.windows) == (2, 4)
    assert found.summary.broken_certificates == 0


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
def test_bad_values_are_refused_before_anything_is_written(
    noisy, tmp_path, change, words
):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(noisy[0], **change).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["offline", "query_log"])
def test_answers_without_a_classifier_to_ask_are_refused(noisy, tmp_path, name):
    machine = jobs.CertifyMachine(**{name: True if name == "offline" else "LOG"})
    with pytest.raises(InputError, match=f"`{name}` goes with `query` alone"):
        noisy[0].run(tmp_path / "out", machine)
