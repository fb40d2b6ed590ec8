"""Certificates under noise: the votes and claims of the library."""

import functools

import jax
import numpy as np
import pytest

from mspd_jax import data, evaluate, jobs, models, smoothing
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_noise import denoiser_of
from mspd_jax.jobs._result import typed
from mspd_jax.streams import stream
from tests.jobs.certifying import NOISY, PREDICT, SIGMA, SOURCE
from tests.models.noise_by_hand import random_model, spec


def test_records_are_what_the_library_certifies(tmp_path):
    done = NOISY.run(tmp_path / "out")
    assert [r.index for r in done.records] == SOURCE.indices.tolist()
    plan = smoothing.stopping_plan(
        selection=20, estimation=120, sigma=SIGMA, alpha=0.01
    )
    count = functools.partial(smoothing.smoothed_votes, sigma=SIGMA, chunk=6)
    count = jax.jit(count)
    for place, record in enumerate(done.records):
        image = SOURCE.read(place)
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


def brighter(image):
    return image + 0.1


def test_a_denoiser_may_be_a_function(tmp_path):
    options = {"sigma": SIGMA, "samples": 40, "selection": 10, "alpha": 0.01}
    method = jobs.Denoised(denoiser=brighter, **options)
    job = jobs.Certify(target=PREDICT, source=SOURCE, method=method)
    found = job.run(tmp_path / "one")
    front = smoothing.denoised(PREDICT, brighter)
    same = jobs.Certify(target=front, source=SOURCE, method=jobs.Smoothing(**options))
    assert found.records == same.run(tmp_path / "two").records


def test_a_denoiser_is_named_by_its_architecture():
    spec = models.ModelSpec(
        "dncnn", {"depth": 3, "width": 4}, (0.0,), (1.0,), 0, (8, 8, 1), {}
    )
    model = models.create_model(jax.random.key(1), spec)
    method = jobs.Denoised(denoiser=model, sigma=SIGMA)
    job = jobs.Certify(target=PREDICT, source="digits:test", method=method)
    assert jobs.fields_of(job)["denoiser"] == "dncnn"


def test_a_diffusion_model_is_made_for_the_sigma_of_the_job():
    model = random_model()
    for sigma in (0.25, 0.5):
        method = jobs.Denoised(denoiser=model, sigma=sigma)
        found = denoiser_of(method)["denoiser"].predict
        expected = models.restorer(model, sigma=sigma)
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
            np.testing.assert_array_equal(one, other)
        assert denoiser_of(method)["denoiser"].model is model


@pytest.mark.compiling
def test_votes_behind_a_diffusion_model_are_those_of_the_library(tmp_path):
    options = {"sigma": SIGMA, "samples": 40, "selection": 10, "alpha": 0.01}
    model, small = random_model(), data.select(SOURCE, SOURCE.indices[:2])
    method = jobs.Denoised(denoiser=model, **options)
    found = jobs.Certify(target=PREDICT, source=small, method=method).run(tmp_path)
    front = smoothing.denoised(PREDICT, models.restorer(model, sigma=SIGMA))
    plan = smoothing.stopping_plan(**PLAN)
    count = jax.jit(functools.partial(smoothing.smoothed_votes, sigma=SIGMA, chunk=10))
    for place, record in enumerate(found.records):
        image = small.read(place)
        key = jax.random.fold_in(stream(0, "certify"), image.index)
        label = np.int32(image.label)
        votes = count(key, front, image.image, label, plan=plan)
        assert record.estimation == votes.estimation.tolist()
    assert found.summary.warnings == []


PLAN = {"selection": 10, "estimation": 40, "sigma": SIGMA, "alpha": 0.01}


@pytest.mark.parametrize(
    ("options", "sigma", "words"),
    [
        ({}, 100.0, "from 0.0050 to 78.7, got 100.0"),
        ({"channels": 3}, 0.25, "`denoiser` is for images of 3 channels, not 1"),
        ({"widths": [4] * 5}, 0.25, "8x8 for a U-Net of 5 levels"),
    ],
)
def test_a_diffusion_model_that_does_not_fit_is_refused(
    tmp_path, options, sigma, words
):
    of = spec(**options)
    shape = (16, 16, of.image_shape[-1])
    made = models.create_model(jax.random.key(0), of._replace(image_shape=shape))
    method = jobs.Denoised(denoiser=made, sigma=sigma)
    job = jobs.Certify(target=PREDICT, source=SOURCE, method=method)
    with pytest.raises(InputError, match=words):
        job.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


TIMING = {"seconds": 1.0, "images_computed": 2, "images_per_second": None}
RECORD = {
    "index": 0,
    "label": 3,
    "prediction": 3,
    "radius": 0.1,
    "correct": True,
    "selection": [1],
    "estimation": [9],
    "drawn": 9,
}


def test_types_describe_every_field_of_records_and_totals():
    record = typed(jobs.NoiseRecord, RECORD)
    assert (record.radius, record.drawn) == (0.1, 9)
    totals = evaluate.certified_totals([RECORD], alpha=0.01)
    found = typed(jobs.NoiseSummary, {"images": 1, **TIMING, **totals, "warnings": []})
    assert found.mean_radius == pytest.approx(0.1)
