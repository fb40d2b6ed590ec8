"""The picture of a report: what its tiles hold."""

import json

import numpy as np
import pytest

from mspd_jax import data, report
from mspd_jax.runs import read_runs
from tests.report.folders import evaluate_run, image, protect_run

TITLES = [
    "original",
    "protected",
    "perturbation\n×10",
    "original,\nattacked",
    "protected,\nattacked",
]


def picture(path, **options):
    """Text and picture of the section on protected images."""
    found = report.protection_section(read_runs([str(path)]), **options)
    return found.text, found.pictures.get("picture.png")


@pytest.fixture
def seen(monkeypatch):
    """What the picture is made of: (rows, titles)."""
    calls = []

    def record(rows, titles):
        calls.append((rows, titles))
        return b"png"

    where = "mspd_jax.report._protection.comparison_picture"
    monkeypatch.setattr(where, record)
    return calls


def test_picture_shows_originals_files_and_verdicts(tmp_path, seen):
    protect = protect_run(tmp_path)
    evaluate_run(tmp_path, "before", "digits:test", 0.25, shift=1)
    evaluate_run(tmp_path, "after", f"folder:{protect}", 0.5)
    text, png = picture(tmp_path, images=2)
    ((rows, titles),) = seen
    assert png == b"png" and titles == TITLES
    assert "pgd-20" in text and "First 2 images" in text  # the strongest attack
    source = data.open_source("digits:test")
    for number, row in enumerate(rows):
        original, protected, change, attacked, attacked_protected = row
        np.testing.assert_array_equal(original.image, source.read(number).image)
        np.testing.assert_allclose(protected.image, 100 / 255, atol=1e-6)
        want = np.clip(0.5 + 10 * (100 / 255 - original.image), 0, 1)
        np.testing.assert_allclose(change.image, want, atol=1e-5)
        for tile in (attacked, attacked_protected):
            np.testing.assert_allclose(tile.image, 200 / 255, atol=1e-6)
            assert (tile.caption, tile.right) == ("3", False)
        assert (protected.caption, protected.right) == (str(4 * number), True)
        assert (original.caption, original.right) == (str(4 * number + 1), False)


def test_picture_goes_without_what_is_not_there(tmp_path, seen):
    protect = protect_run(tmp_path)
    evaluate_run(tmp_path, "after", f"folder:{protect}", 0.5, saved=False)
    info = json.loads((protect / "run.json").read_text())
    info["fields"]["source"] = "folder:/nowhere"
    (protect / "run.json").write_text(json.dumps(info))
    text, _ = picture(tmp_path)
    ((rows, titles),) = seen
    assert titles == ["protected"] and len(rows) == 3
    assert "--save_images" in text and "/nowhere" in text
    text, png = picture(tmp_path / "after")
    assert png is None and "no protect run" in text


def test_picture_opens_no_file_outside_a_run(tmp_path, seen):
    protect = protect_run(tmp_path)
    image(tmp_path / "secret.png", 0, 1)
    records = [{"index": 0, "label": 0, "file": "../secret.png"}]
    (protect / "records.jsonl").write_text(json.dumps(records[0]) + "\n")
    picture(protect)
    ((rows, titles),) = seen
    assert titles == ["original"]
