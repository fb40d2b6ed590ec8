"""Data that change between two starts: added, replaced, removed, still being made."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mspd_jax import jobs
from mspd_jax.errors import InputError
from tests.jobs.linear import PREDICT

LEVELS = np.random.default_rng(0).integers(20, 230, (5, 8, 8), np.uint8)


def save(folder, name, place):
    folder.mkdir(exist_ok=True)
    Image.fromarray(LEVELS[place]).save(folder / name)


@pytest.fixture
def photos(tmp_path):
    for place, name in enumerate(("b.png", "d.png", "f.png")):
        save(tmp_path / "photos", name, place)
    return tmp_path / "photos"


@pytest.fixture
def labelled(tmp_path):
    for place in range(3):
        save(tmp_path / "labelled", f"{place:05d}_{place}.png", place)
    return tmp_path / "labelled"


def protect(folder):
    return jobs.Protect(
        source=f"folder:{folder}", surrogate=PREDICT, eps=0.1, samples=2
    )


def evaluate(folder):
    return jobs.Evaluate(
        source=f"folder:{folder}", target=PREDICT, attack="none", check_images=0
    )


def files(result):
    return {r.name: (result.folder / r.file).read_bytes() for r in result.records}


def test_a_photo_that_is_added_is_protected_and_shifts_no_other(photos, tmp_path):
    before = files(protect(photos).run(tmp_path / "out"))
    save(photos, "a.png", 3)
    save(photos, "e.png", 4)
    after = protect(photos).run(tmp_path / "out")
    assert after.summary.images == 5
    found = files(after)
    assert {name: found[name] for name in before} == before
    # What is there is what a fresh run makes of all five.
    fresh = protect(photos).run(tmp_path / "fresh")
    assert files(fresh) == found and fresh.records == after.records


def test_a_photo_that_is_replaced_is_refused_by_name(photos, tmp_path):
    done = protect(photos).run(tmp_path / "out")
    old = files(done)
    save(photos, "d.png", 4)
    with pytest.raises(InputError, match="d.png has another content"):
        protect(photos).run(tmp_path / "out")
    assert files(done) == old


def test_a_photo_that_is_removed_keeps_its_record_with_a_warning(photos, tmp_path):
    protect(photos).run(tmp_path / "out")
    (photos / "d.png").unlink()
    after = protect(photos).run(tmp_path / "out")
    assert after.summary.images == 3
    assert any("not in the source any more" in w for w in after.summary.warnings)


def test_an_evaluation_does_not_answer_from_images_that_were(labelled, tmp_path):
    first = evaluate(labelled).run(tmp_path / "out")
    assert evaluate(labelled).run(tmp_path / "out").records == first.records
    shutil.rmtree(labelled)
    for place in range(3):
        save(labelled, f"{place:05d}_{place}.png", 4 - place)
    with pytest.raises(InputError, match="`source` names has changed"):
        evaluate(labelled).run(tmp_path / "out")
    fresh = evaluate(labelled).run(tmp_path / "fresh")
    assert fresh.summary.images == 3


def test_the_folder_of_a_run_that_goes_on_is_no_source(labelled, tmp_path):
    done = protect(labelled).run(tmp_path / "out")
    assert evaluate(done.folder).run(tmp_path / "all").summary.images == 3
    (done.folder / "summary.json").unlink()
    records = (done.folder / "records.jsonl").read_text().splitlines()[:1]
    (done.folder / "records.jsonl").write_text("\n".join(records) + "\n")
    with pytest.raises(InputError, match="not finished"):
        evaluate(done.folder).run(tmp_path / "part")
    assert not (tmp_path / "part").exists()
    # Its own job goes on with it.
    assert protect(labelled).run(tmp_path / "out").summary.images == 3
    json.loads((done.folder / "summary.json").read_text())
