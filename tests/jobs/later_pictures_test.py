"""A folder of pictures to which others come, while a run of it goes on."""

import dataclasses
import pathlib
import shutil

import pytest

from mspd_jax import jobs, runs
from mspd_jax.errors import InputError
from mspd_jax.report import _album
from tests.jobs.pictures import photo, surrogate


@pytest.fixture
def job(tmp_path):
    photo(tmp_path / "in" / "a.png")
    return jobs.ProtectPictures(
        source=str(tmp_path / "in"), surrogate=surrogate(), samples=2, strength="light"
    )


def written(folder):
    """The content of all that a run wrote, by its name."""
    files = (path for path in (folder / "images").rglob("*") if path.is_file())
    return {
        path.relative_to(folder / "images").as_posix(): path.read_bytes()
        for path in files
    }


def names(done):
    return sorted(record.name for record in done.records)


@pytest.mark.parametrize("format, end", [("png", ".png"), ("jpeg", ".jpg")])
def test_one_that_wants_the_name_of_an_older_one_gets_another(
    job, tmp_path, format, end
):
    job = dataclasses.replace(job, format=format)
    first = job.run(tmp_path / "out")
    before = written(first.folder)
    assert list(before) == [f"a{end}"]
    photo(tmp_path / "in" / "a.jpg", seed=1)
    again = job.run(tmp_path / "out")
    after = written(again.folder)
    assert after.keys() == {*names(again)} == {f"a{end}", f"a.jpg{end}"}
    assert after[f"a{end}"] == before[f"a{end}"]
    assert again.summary.warnings == []
    # It is the newer one under the newer name, and the original of each is known.
    rows = jobs.Verify(source=str(again.folder), model=surrogate(), attack="fgsm").run()
    assert sorted(row.name for row in rows) == names(again)
    assert job.run(tmp_path / "out").records == again.records
    # The older one goes: the name of the other stays.
    (tmp_path / "in" / "a.png").unlink()
    rest = job.run(tmp_path / "out")
    assert rest.records == again.records and written(rest.folder) == after
    (warning,) = rest.summary.warnings
    assert "1 images of an earlier start" in warning


def test_two_of_one_name_keep_theirs_when_one_goes(job, tmp_path):
    photo(tmp_path / "in" / "a.jpg", seed=1)
    first = job.run(tmp_path / "out")
    assert names(first) == ["a.jpg.png", "a.png.png"]
    (tmp_path / "in" / "a.jpg").unlink()
    again = job.run(tmp_path / "out")
    assert again.records == first.records
    assert written(again.folder).keys() == {"a.jpg.png", "a.png.png"}


def test_a_copy_under_another_suffix_is_a_picture_of_its_own(job, tmp_path):
    before = written(job.run(tmp_path / "out").folder)
    shutil.copyfile(tmp_path / "in" / "a.png", tmp_path / "in" / "a.webp")
    again = job.run(tmp_path / "out")
    assert len(again.records) == 2
    after = written(again.folder)
    assert len(after) == 2 and after["a.png"] == before["a.png"]


def test_one_in_the_place_of_an_older_one_is_refused(job, tmp_path):
    before = written(job.run(tmp_path / "out").folder)
    (tmp_path / "in" / "a.png").unlink()
    photo(tmp_path / "in" / "a.jpg", seed=1)
    with pytest.raises(InputError, match="a.jpg has another content"):
        job.run(tmp_path / "out")
    assert written(tmp_path / "out") == before


def test_a_report_shows_the_older_one_beside_its_own_file(job, tmp_path):
    job.run(tmp_path / "out")
    photo(tmp_path / "in" / "a.jpg", seed=1)
    done = job.run(tmp_path / "out")
    (run,) = runs.read_runs([str(tmp_path / "out")])
    originals = _album._originals(run)
    found = {r.name: pathlib.Path(originals[r.index]).name for r in done.records}
    assert found == {"a.png": "a.png", "a.jpg.png": "a.jpg"}
