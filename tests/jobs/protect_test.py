"""Protecting and reverting from research code: values in, typed results out."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import data, jobs, preempt, streams
from mspd_jax.errors import InputError
from tests.jobs.linear import network, protect


@pytest.fixture(scope="module")
def job():
    # Draws as in no other file: its program is compiled here.
    return protect(6, samples=3)


@pytest.fixture(scope="module")
def done(job, tmp_path_factory):
    return job.run(tmp_path_factory.mktemp("runs") / "out")


def test_records_are_typed_and_say_what_the_files_say(job, done):
    assert [record.index for record in done.records] == list(job.source.indices)
    assert done.summary.images == 6 and done.unreadable == ()
    for place, record in enumerate(done.records):
        original = job.source.read(place)
        image = data.read_image(done.folder / record.file)
        change = float(np.abs(image - original.image).max())
        assert record.linf == pytest.approx(change, abs=1e-6)
        assert record.linf <= 0.1 + 1e-6
        assert record.label == original.label
    assert done.summary.compile_seconds > 0
    assert done.summary.linf_max == max(record.linf for record in done.records)


def test_the_same_call_finds_all_done(job, done):
    again = job.run(done.folder)
    assert again.records == done.records
    assert again.summary == done.summary


@pytest.mark.parametrize(
    ("recipe", "samples", "antithetic"), [("antithetic", 4, True), ("paper", 20, False)]
)
def test_a_recipe_is_the_draws_that_it_stands_for(
    job, tmp_path, recipe, samples, antithetic
):
    named = dataclasses.replace(job, recipe=recipe, samples=None).run(tmp_path / "a")
    told = dataclasses.replace(job, samples=samples, antithetic=antithetic)
    files = [(r.file, r.l2) for r in told.run(tmp_path / "b").records]
    assert [(r.file, r.l2) for r in named.records] == files
    # A run is what it draws, however it was called.
    fields = json.loads((tmp_path / "a" / "run.json").read_text())["fields"]
    assert (fields["samples"], fields["antithetic"]) == (samples, antithetic)
    assert "recipe" not in fields
    assert told.run(tmp_path / "a").records == named.records


def test_another_surrogate_is_another_run(job, done):
    other = Partial(network, jax.random.normal(jax.random.key(1), (64, 10)))
    with pytest.raises(InputError, match="belongs to another run .models.surrogate"):
        dataclasses.replace(job, surrogate=other).run(done.folder)


def test_a_folder_of_an_earlier_version_is_refused_with_the_reason(job, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"job": "protect", "flags": {}}))
    with pytest.raises(InputError, match="earlier version"):
        job.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_reverting_measures_the_way_back(job, done, tmp_path):
    revert = jobs.Revert(
        source=f"folder:{done.folder}",
        surrogate=job.surrogate,
        eps=0.1,
        samples=2,
        original=job.source,
    )
    found = revert.run(tmp_path / "out")
    distances = [record.linf_to_original for record in found.records]
    assert max(distances) == found.summary.linf_to_original_max
    assert 0.0 < found.summary.linf_to_original_mean <= 0.2 + 1e-6
    often = dataclasses.replace(revert, rounds=3)
    again = often.run(tmp_path / "often")
    assert max(record.linf for record in again.records) <= 0.1 + 1e-6
    assert [r.l2 for r in again.records] != [r.l2 for r in found.records]
    with pytest.raises(InputError, match="`rounds`=3 goes with `method`=mspd"):
        dataclasses.replace(often, method="bilevel").run(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_several_surrogates_share_the_draws(job, done, tmp_path):
    other = Partial(network, jax.random.normal(jax.random.key(1), (64, 10)))
    several = dataclasses.replace(job, more_surrogates=(other,))
    found = several.run(tmp_path / "out")
    assert [r.used_label for r in found.records] == [r.used_label for r in done.records]
    assert [r.l2 for r in found.records] != [r.l2 for r in done.records]
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert {"surrogate", "surrogate1"} <= set(run["models"])
    with pytest.raises(InputError, match="belongs to another run"):
        job.run(tmp_path / "out")


def test_the_baseline_takes_its_own_steps(job, tmp_path):
    few = dataclasses.replace(
        job, method="bilevel", outer_steps=2, inner_steps=3, outer_rate=0.5
    )
    found = few.run(tmp_path / "out")
    for place, record in enumerate(found.records):
        image = job.source.read(place).image
        key = jax.random.fold_in(streams.stream(0, "protect"), record.index)
        want = preempt.bilevel(
            *(key, job.surrogate, image, record.used_label),
            eps=0.1,
            outer_steps=2,
            inner_steps=3,
            learning_rate=0.5,
        )
        made = data.read_image(tmp_path / "out" / record.file)
        # Rounding to 8 bits lies between them.
        assert np.abs(made - want).max() <= 0.5 / 255 + 1e-5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eps": 2}, "`eps`=2.*did you mean"),
        ({"surrogate": 3}, "not int"),
        ({"labeler": "oracle"}, "`labeler`=oracle is neither"),
        ({"method": "bilevel", "norm": "l2"}, "`method`=bilevel is defined for"),
        (
            {"method": "bilevel", "more_surrogates": ("cifar10_resnet20_robust",)},
            "`more_surrogates` go with `method`=mspd",
        ),
        ({"more_surrogates": ("cifar10_resnet20_robust",)}, "image_shape|reads"),
        ({"outer_steps": 3}, "`outer_steps`=3 goes with `method`=bilevel alone"),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(
    job, tmp_path, change, words
):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(job, **change).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()
