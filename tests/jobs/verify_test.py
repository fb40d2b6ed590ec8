"""Asking written pictures what a model still sees in them under attack."""

import jax
import numpy as np
import pytest

from mspd_jax import attacks, jobs, models, preempt
from mspd_jax.errors import InputError
from mspd_jax.jobs._hold import VIEWS, held
from tests.jobs.pictures import photo, surrogate

SIZE = (8, 8, 3)


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    for number in range(3):
        photo(folder / f"{number}.png", seed=number)
    return folder


@pytest.fixture(scope="module")
def done(album, tmp_path_factory):
    job = jobs.ProtectPictures(
        source=str(album),
        surrogate=surrogate(),
        samples=8,
        strength="strong",
        verify=True,
    )
    return job.run(tmp_path_factory.mktemp("runs") / "out")


def test_a_run_of_protect_knows_its_originals(done):
    rows = jobs.Verify(source=str(done.folder), model=surrogate()).run()
    assert [row.name for row in rows] == [record.name for record in done.records]
    for row, record in zip(rows, done.records, strict=True):
        assert row.views == VIEWS and row.label == record.used_label
        # The draws of the attack are other ones.
        assert abs(row.before.robust - record.robust_before) <= 1
        assert abs(row.after.robust - record.robust_after) <= 1
        assert row.after.robust >= row.before.robust
    assert sum(row.after.robust - row.before.robust for row in rows) > 0


def test_a_run_of_a_relative_source_is_verified_where_it_was_made(
    album, tmp_path, monkeypatch
):
    monkeypatch.chdir(album)
    made = jobs.ProtectPictures(source=".", surrogate=surrogate(), samples=2, limit=1)
    made.run(tmp_path / "out")
    photo(tmp_path / "other" / "x.png")
    photo(tmp_path / "other" / "y.png")
    monkeypatch.chdir(tmp_path / "other")
    job = jobs.Verify(source=str(tmp_path / "out"), model=surrogate(), attack="fgsm")
    with pytest.raises(InputError, match="made from ., which .* where protect was"):
        job.run()


def test_files_alone_have_no_before(album):
    job = jobs.Verify(source=str(album / "1.png"), model=surrogate(), attack="pgd-2")
    (row,) = job.run()
    assert row.before is None and row.after.clean >= 1


def test_one_file_and_its_original_may_have_other_names(album):
    (row,) = jobs.Verify(
        source=str(album / "1.png"),
        original=str(album / "2.png"),
        model=surrogate(),
        attack="fgsm",
        survive=None,
    ).run()
    assert row.before.clean >= 1


def test_what_happens_to_files_is_tried_out(album):
    job = jobs.Verify(
        source=str(album / "0.png"),
        model=surrogate(),
        attack="fgsm",
        survive=("jpeg:50", "resize:0.5", "crop:0.5"),
    )
    assert [row.fate for row in job.run()] == [
        "as it is",
        "jpeg:50",
        "resize:0.5",
        "crop:0.5",
    ]


def test_held_is_what_the_attack_says_of_each_view():
    model = surrogate()
    predict = models.predictor(model)
    image = np.random.default_rng(0).uniform(size=(20, 30, 3)).astype(np.float32)
    label = preempt.view_label(predict, image, SIZE)
    attack = attacks.resolve_attack("fgsm", eps=0.05, norm="linf")
    key = jax.random.key(0)
    found = held(key, predict, attack, image, label, eps=0.05, size=SIZE)
    shown = models.at_size(lambda x: x, "resize8x8-bilinear")
    corners = [image, image[:16, :24], image[:16, 6:], image[4:, :24], image[4:, 6:]]
    clean = robust = 0
    for one, view_key in zip(corners, jax.random.split(key, VIEWS), strict=True):
        view = shown(one)
        right = int(np.argmax(predict(view))) == label
        proposal = attack(view_key, predict, view, label).image
        clean += right
        robust += right and int(np.argmax(predict(proposal))) == label
    assert (found.clean, found.robust) == (clean, robust)


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("source", "nowhere", "nowhere"),
        ("original", "nowhere", "nowhere"),
        ("survive", ("fire",), "accepted are jpeg:85"),
        ("attack", "pgdd-2", "pgd"),
    ],
)
def test_bad_input_is_named(album, field, value, said):
    fields = dict(source=str(album), model=surrogate(), attack="fgsm") | {field: value}
    with pytest.raises(InputError, match=said):
        jobs.Verify(**fields).run()


def test_originals_under_other_names_are_refused(album, tmp_path):
    photo(tmp_path / "a.png"), photo(tmp_path / "b.png")
    job = jobs.Verify(source=str(album), original=str(tmp_path), model=surrogate())
    with pytest.raises(InputError, match="has no 0.png"):
        job.run()
