"""Protecting picture files: what comes out is the same kind of picture, and near."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from mspd_jax import drive, jobs
from mspd_jax.errors import InputError
from mspd_jax.jobs import _protect_pictures
from tests.jobs.pictures import gray_model, photo, surrogate
from tests.pictures.preview_test import SMALL, exif_with

EPS = 8 / 255


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    photo(folder / "sea.jpg", quality=90)
    photo(folder / "holidays" / "gray.png", "L", (9, 33), seed=1)
    photo(folder / "holidays" / "clear.png", "RGBA", (20, 11), seed=2)
    (folder / "notes.txt").write_text("no picture")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not one")
    return folder


@pytest.fixture(scope="module")
def job(album):
    return jobs.ProtectPictures(
        source=str(album), surrogate=surrogate(), samples=2, verify=True
    )


@pytest.fixture(scope="module")
def done(job, tmp_path_factory):
    return job.run(tmp_path_factory.mktemp("runs") / "out")


def test_every_picture_keeps_its_size_and_kind(album, done):
    files = {record.name: record for record in done.records}
    assert sorted(files) == ["holidays/clear.png", "holidays/gray.png", "sea.png"]
    for name, mode in {
        "sea": "RGB",
        "holidays/gray": "L",
        "holidays/clear": "RGBA",
    }.items():
        record = files[f"{name}.png"]
        with Image.open(done.folder / record.file) as image:
            assert image.mode == mode
            assert image.size == (record.width, record.height)


def test_changes_are_measured_on_the_files(album, done):
    for record in done.records:
        original = next(album.glob(record.name.replace(".png", ".*")))
        before, after = (
            np.asarray(Image.open(path), np.int64)
            for path in (original, done.folder / record.file)
        )
        if before.shape[-1:] == (4,):
            np.testing.assert_array_equal(before[..., 3], after[..., 3])
            before, after = before[..., :3], after[..., :3]
        change = np.abs(after - before)
        assert record.largest_change == pytest.approx(change.max() / 255, abs=1e-6)
        assert 0 < change.max() <= 8
        error = np.mean(np.square(change)) / 255**2
        assert record.psnr == pytest.approx(-10 * np.log10(error), abs=1e-3)
        assert record.views == 5 and 0 <= record.robust_after <= 5


def test_what_was_left_out_is_said_and_the_rest_is_done(album, done):
    assert len(done.unreadable) == 1 and "broken.png" in done.unreadable[0]
    said = " ".join(done.summary.warnings)
    assert "notes.txt" in said and "broken.png" in said
    assert done.summary.samples == 2 and done.summary.eps == EPS


def test_the_same_call_does_nothing_again(job, done):
    file = done.folder / done.records[0].file
    before = file.stat().st_mtime_ns
    again = job.run(done.folder)
    assert again.records == done.records
    # What cannot be read is no work, also where it is tried again.
    assert again.summary == done.summary and not again.finished_before
    assert file.stat().st_mtime_ns == before


def test_a_run_that_was_cut_off_goes_on_to_the_same_files(
    job, done, tmp_path, monkeypatch
):
    whole, begun = _protect_pictures.made, []

    def interrupted(*arguments):
        if begun:
            raise KeyboardInterrupt
        begun.append(arguments)
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_protect_pictures, "made", interrupted)
        with pytest.raises(KeyboardInterrupt):
            job.run(tmp_path / "out")
    assert len(list((tmp_path / "out/images").rglob("*.png"))) == 1
    assert job.run(tmp_path / "out").records == done.records
    for record in done.records:
        both = (folder / record.file for folder in (done.folder, tmp_path / "out"))
        assert len({path.read_bytes() for path in both}) == 1


def test_results_within_the_folder_are_not_protected_again(tmp_path):
    photo(tmp_path / "sea.png")
    job = jobs.ProtectPictures(
        source=str(tmp_path), surrogate=surrogate(), samples=2, strength="light"
    )
    first = job.run(tmp_path / "out").records
    assert job.run(tmp_path / "out").records == first
    strong = dataclasses.replace(job, strength="strong").run(tmp_path / "strong")
    assert [record.name for record in strong.records] == ["sea.png"]
    assert "out is the folder of a run" in " ".join(strong.summary.warnings)


def test_originals_are_never_written_to(tmp_path):
    before = photo(tmp_path / "images" / "sea.png")
    job = jobs.ProtectPictures(
        source=str(tmp_path / "images"), surrogate=surrogate(), samples=2
    )
    with pytest.raises(InputError, match="holds the originals"):
        job.run(tmp_path)
    after = np.asarray(Image.open(tmp_path / "images" / "sea.png"))
    np.testing.assert_array_equal(before, after)
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("format, suffix", [("jpeg", ".jpg"), ("webp", ".webp")])
def test_what_loses_pixels_is_measured_after_it_was_packed(
    job, album, tmp_path, format, suffix
):
    job = dataclasses.replace(
        job, source=str(album / "sea.jpg"), format=format, quality=60, verify=False
    )
    (record,) = job.run(tmp_path / "out").records
    assert record.file == f"images/sea{suffix}" and record.views is None
    before, after = (
        np.asarray(Image.open(path), np.int64)
        for path in (album / "sea.jpg", tmp_path / "out" / record.file)
    )
    assert record.largest_change == pytest.approx(
        np.abs(after - before).max() / 255, abs=1e-6
    )


def test_a_folder_that_is_called_as_an_earlier_picture_is_named(job, tmp_path):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "b.png")
    job = dataclasses.replace(job, source=str(tmp_path / "in"), verify=False)
    job.run(tmp_path / "out")
    (tmp_path / "in" / "a.png").unlink()
    photo(tmp_path / "in" / "a.png" / "c.png", seed=1)
    with pytest.raises(
        InputError, match="before lies in the way of images/a.png/c.png"
    ):
        job.run(tmp_path / "out")


def test_a_quality_of_png_is_refused_before_anything_is_written(job, tmp_path):
    job = dataclasses.replace(job, quality=90)
    with pytest.raises(InputError, match="`quality`=90 goes with `format`=jpeg or"):
        job.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_the_format_cannot_hold_is_named_and_the_rest_is_done(job, tmp_path):
    photo(tmp_path / "clear.png", "RGBA")
    photo(tmp_path / "sea.png")
    job = dataclasses.replace(job, source=str(tmp_path), format="jpeg", verify=False)
    done = job.run(tmp_path / "out")
    assert [record.name for record in done.records] == ["sea.jpg"]
    (reason,) = done.unreadable
    assert "clear.png: this picture has an alpha channel" in reason


def test_a_color_profile_that_no_png_holds_is_named(job, tmp_path):
    profile = np.random.default_rng(0).bytes(1_500_000)
    photo(tmp_path / "sea.jpg", icc_profile=profile)
    job = dataclasses.replace(job, source=str(tmp_path / "sea.jpg"), verify=False)
    done = job.run(tmp_path / "out")
    (reason,) = done.unreadable
    assert "sea.jpg: this picture has a color profile of 1500000 bytes" in reason
    assert "\n" not in reason and not done.records
    (record,) = dataclasses.replace(job, format="webp").run(tmp_path / "webp").records
    with Image.open(tmp_path / "webp" / record.file) as image:
        assert image.info["icc_profile"] == profile


def test_previews_that_show_the_original_are_told_of(job, tmp_path):
    tags = [(513, 56), (514, len(SMALL))]
    photo(tmp_path / "sea.jpg", exif=exif_with("<", tags, SMALL))
    photo(tmp_path / "sky.jpg")
    job = dataclasses.replace(job, source=str(tmp_path), verify=False)
    done = job.run(tmp_path / "out")
    (warning,) = done.summary.warnings
    assert "sea.png: " in warning and "`strip_metadata`" in warning
    job = dataclasses.replace(job, strip_metadata=True)
    assert job.run(tmp_path / "stripped").summary.warnings == [
        f"left out: {tmp_path / 'out'} is the folder of a run, whose pictures are done"
    ]


@pytest.mark.parametrize("mode, size", [("RGB", (700, 530)), ("L", (20, 30))])
def test_a_preview_is_one_file_of_three_pictures(job, tmp_path, mode, size):
    whole = photo(tmp_path / "in" / "a.jpg", mode, size)
    photo(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "a.txt").write_text("no picture")
    job = dataclasses.replace(job, source=str(tmp_path / "in"), strength="light")
    for _ in range(2):  # the second in the place of the first
        found = job.preview(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["preview.png"]
    width, height = (min(side, 512) for side in size)
    assert (found.name, found.width, found.height) == ("a.png", width, height)
    shown = np.asarray(Image.open(found.file), np.int64)
    before, after, difference = np.split(shown, 3, axis=1)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    np.testing.assert_array_equal(
        before, whole[top : top + height, left : left + width]
    )
    assert 0 < np.abs(after - before).max() <= 4
    np.testing.assert_array_equal(difference - 127, 10 * (after - before))
    (tmp_path / "out" / "letter.txt").write_text("of value")
    with pytest.raises(InputError, match="`out`=.* is not empty"):
        job.preview(tmp_path / "out")


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("source", "nowhere", "nowhere"),
        ("eps", "2", "at most 1"),
        ("survive", ("fire:1",), "accepted are jpeg:75-95"),
        ("surrogate", lambda image: image[0, 0], "does not say what size"),
        ("surrogate", gray_model(), "reads images of 1 channels"),
    ],
)
def test_bad_input_is_named_and_nothing_written(job, tmp_path, field, value, said):
    with pytest.raises(InputError, match=said):
        dataclasses.replace(job, **{field: value}).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_who_watches_hears_of_parts_of_a_picture(job, tmp_path):
    photo(tmp_path / "large.png", size=(1100, 300))
    shares = []
    with drive.watched(shares.append):
        dataclasses.replace(job, source=str(tmp_path / "large.png")).run(
            tmp_path / "out"
        )
    assert len(shares) > 10 and shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_the_attacker_is_the_same_for_all_strengths(job, album, tmp_path):
    before = {
        job.run(tmp_path / str(number)).records[0].robust_before
        for number, job in enumerate(
            dataclasses.replace(job, source=str(album / "sea.jpg"), eps=eps)
            for eps in (0.0005, "60/255")
        )
    }
    assert len(before) == 1
