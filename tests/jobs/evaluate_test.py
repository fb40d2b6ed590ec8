"""Evaluating from research code: a function and a source in, typed results out."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import data, jobs, models
from mspd_jax.errors import InputError


def network(weights, image):
    """Two classes by one direction: the margin in l_inf is known in closed form."""
    score = (image.ravel() - 0.5) @ weights
    return jnp.stack([-score, score])


WEIGHTS = jax.random.normal(jax.random.key(0), (16,))
IMAGES = np.asarray(jax.random.uniform(jax.random.key(1), (12, 4, 4, 1))) * 0.2 + 0.4
SCORES = (IMAGES.reshape(12, 16) - 0.5) @ np.asarray(WEIGHTS)
LABELS = (SCORES > 0).astype(np.int32)
MARGINS = np.abs(SCORES) / np.abs(np.asarray(WEIGHTS)).sum()
RADIUS = float(np.sort(MARGINS)[5:7].mean())


@pytest.fixture(scope="module")
def job():
    return jobs.Evaluate(
        target=Partial(network, WEIGHTS),
        source=data.from_arrays(IMAGES, LABELS),
        attack="fgsm",
        eps=RADIUS,
        check_images=0,
    )


def test_robust_accuracy_is_that_of_the_closed_form(job, tmp_path):
    found = job.run(tmp_path / "out")
    assert found.summary.clean_accuracy == 1.0
    assert found.summary.robust_accuracy == np.mean(MARGINS > RADIUS) == 0.5
    for record, margin in zip(found.records, MARGINS, strict=True):
        assert record.attacks["fgsm"]["found"] == (margin < RADIUS)
    again = job.run(tmp_path / "out")
    assert again.records == found.records and again.summary == found.summary


def test_without_attacks_there_is_no_robust_accuracy(job, tmp_path):
    plain = dataclasses.replace(job, attack="none", eps=None)
    summary = plain.run(tmp_path / "out").summary
    assert summary.clean_accuracy == 1.0 and summary.robust_accuracy is None


def test_a_defense_in_front_of_a_function(job, tmp_path):
    plain = dataclasses.replace(job, attack="none", eps=None, defense="bits:2")
    coarse = np.rint(IMAGES * 3).reshape(12, 16) / 3 - 0.5
    right = (coarse @ np.asarray(WEIGHTS) > 0) == LABELS
    assert 0 < right.mean() < 1
    assert plain.run(tmp_path / "out").summary.clean_accuracy == right.mean()


def test_figures_of_a_published_model_stand_beside(tmp_path):
    row = models.find_published("Gowal2021Improving_R18_ddpm_100m")
    spec = models.ModelSpec(
        architecture="small_cnn",
        options={"widths": [2]},
        mean=(0.0,),
        std=(1.0,),
        num_classes=2,
        image_shape=(4, 4, 1),
        origin={"published": row.name},
    )
    model = models.create_model(jax.random.key(0), spec)
    source = data.from_arrays(IMAGES, LABELS)
    job = jobs.Evaluate(target=model, source=source, attack="none", check_images=0)
    strange = model._replace(spec=spec._replace(origin={"published": "another"}))
    found = dataclasses.replace(job, target=strange).run(tmp_path / "strange")
    assert found.summary.published is None
    assert job.run(tmp_path / "out").summary.published == {
        "name": row.name,
        "clean": 87.35,
        "robust": 58.5,
        "threat": "Linf",
        "eps": "8/255",
    }


def test_a_grid_of_jobs_is_every_combination(job):
    cells = jobs.grid(job, attack=["fgsm", "pgd-5"], eps=[0.1, 0.2])
    assert [(cell.attack, cell.eps) for cell in cells] == [
        ("fgsm", 0.1),
        ("fgsm", 0.2),
        ("pgd-5", 0.1),
        ("pgd-5", 0.2),
    ]


def test_a_grid_of_radii_has_a_run_each_and_one_summary(job, tmp_path):
    fields = {f.name: getattr(job, f.name) for f in dataclasses.fields(job)}
    low, high = RADIUS / 10, RADIUS
    several = jobs.EvaluateGrid(**{**fields, "eps": f"{low},{high}"})
    cells = several.run(tmp_path / "out")
    assert [cell.inputs.radius for cell in cells] == [low, high]
    robust = [cell.result.summary.robust_accuracy for cell in cells]
    assert robust == [np.mean(MARGINS > low), 0.5]
    assert (tmp_path / "out" / "summary.json").exists()
    assert all(cell.folder.parent.parent == tmp_path / "out" for cell in cells)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eps": None}, "`attack`=fgsm needs `eps`"),
        ({"attack": "smile"}, "smile"),
        ({"defense": "smile"}, "unknown defense 'smile'"),
        ({"target": "nowhere"}, "nowhere"),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(
    job, tmp_path, change, words
):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(job, **change).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()
