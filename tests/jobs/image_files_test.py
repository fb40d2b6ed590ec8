"""Images of a run in few large files: the same pixels, whatever interrupts it."""

import dataclasses
import hashlib
import os

import numpy as np
import pytest

from mspd_jax import data, jobs, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._image_files import image_files
from tests.jobs.linear import protect

MACHINE = jobs.ChunkedMachine(batch_size=2)


@pytest.fixture(scope="module")
def job():
    return protect(14)


@pytest.fixture(scope="module")
def png(job, tmp_path_factory):
    return job.run(tmp_path_factory.mktemp("runs") / "png", MACHINE)


@pytest.fixture(scope="module")
def packed(job):
    return dataclasses.replace(job, format="arrayrecord")


@pytest.fixture(scope="module")
def whole(packed, tmp_path_factory):
    return packed.run(tmp_path_factory.mktemp("runs") / "packed", MACHINE)


def digests(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name not in ("run.json", "summary.json")
    }


@pytest.mark.parametrize("word", ["folder", "arrayrecord"])
def test_the_same_pixels_as_in_files_of_their_own(png, whole, word):
    wanted = data.open_source(f"folder:{png.folder}")
    found = data.open_source(f"{word}:{whole.folder}")
    assert found.indices.tolist() == wanted.indices.tolist()
    for place in range(14):
        one, other = wanted.read(place), found.read(place)
        np.testing.assert_array_equal(one.image, other.image)
        assert one[2:] == other[2:]
    for one, other in zip(png.records, whole.records, strict=True):
        assert other == one._replace(file=None)
    assert whole.summary.linf_max == png.summary.linf_max
    assert not (whole.folder / "images.parts").exists()


@pytest.mark.parametrize("after", [1, 4, 6])
def test_a_kill_leaves_nothing_behind_and_loses_nothing(
    packed, whole, tmp_path, monkeypatch, after
):
    """Killed between an image file and its records, so that images come twice."""
    real, left = runs.append_records, [after]

    def killed(folder, records):
        left[0] -= len(records)
        if left[0] < 0:
            raise KeyboardInterrupt
        real(folder, records)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "append_records", killed)
        with pytest.raises(KeyboardInterrupt):
            packed.run(tmp_path / "out", MACHINE)
    again = packed.run(tmp_path / "out", jobs.ChunkedMachine(batch_size=5))
    assert digests(again.folder) == digests(whole.folder)


def test_a_kill_while_parts_are_put_together(packed, whole, tmp_path, monkeypatch):
    real = data.merge_parts

    def killed(*args, **kwargs):
        real(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(data, "merge_parts", killed)
        with pytest.raises(KeyboardInterrupt):
            packed.run(tmp_path / "out", MACHINE)
    again = packed.run(tmp_path / "out", MACHINE)
    assert digests(again.folder) == digests(whole.folder)


def begun(job, out, monkeypatch, module, name):
    """A start that is killed as it first calls a function."""

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(KeyboardInterrupt):
            job.run(out, MACHINE)


def test_an_image_that_goes_before_it_has_a_record_is_left_out(
    packed, tmp_path, monkeypatch
):
    begun(packed, tmp_path / "out", monkeypatch, runs, "append_records")
    rest = data.select(packed.source, packed.source.indices[1:])
    job = dataclasses.replace(packed, source=rest)
    again = job.run(tmp_path / "out", MACHINE)
    found = data.open_source(f"arrayrecord:{again.folder}")
    assert found.indices.tolist() == rest.indices.tolist()
    fresh = job.run(tmp_path / "fresh", MACHINE)
    assert digests(again.folder) == digests(fresh.folder)


def test_images_of_which_none_has_a_record_leave_nothing(packed, tmp_path):
    files = image_files("arrayrecord", tmp_path, packed.source, process=0)
    record = packed.source.read(0)
    files.add(record, np.zeros((8, 8, 1), np.uint8))
    files.flush([record.index])
    files.finish(np.empty(0, np.int64))
    assert not list(tmp_path.iterdir())


def test_what_a_kill_leaves_of_a_part_is_no_part(packed, whole, tmp_path, monkeypatch):
    begun(packed, tmp_path / "out", monkeypatch, os, "fsync")
    (torn,) = (tmp_path / "out" / "images.parts").iterdir()
    torn.write_bytes(torn.read_bytes()[:1000])
    again = packed.run(tmp_path / "out", MACHINE)
    assert digests(again.folder) == digests(whole.folder)


def test_a_run_goes_on_when_its_source_has_grown(packed, whole, tmp_path):
    few = data.select(packed.source, packed.source.indices[::3])
    begun = dataclasses.replace(packed, source=few).run(tmp_path / "out", MACHINE)
    assert len(begun.records) == 5
    grown = packed.run(tmp_path / "out", MACHINE)
    assert digests(grown.folder) == digests(whole.folder)


def test_a_format_belongs_to_the_run(packed, png):
    with pytest.raises(InputError, match="`format` was None, now 'arrayrecord'"):
        packed.run(png.folder)
