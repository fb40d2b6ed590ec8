"""The page of a report, from research code."""

import json

import pytest

from mspd_jax import report
from mspd_jax.errors import InputError
from tests.report.folders import certify_run, evaluate_run, patches_run, protect_run


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def runs(tmp_path):
    """A folder of runs of all kinds."""
    folder = tmp_path / "runs"
    protect = protect_run(folder)
    evaluate_run(folder, "after", f"folder:{protect}", 0.5)
    certify_run(folder / "noise", (0.5, 0.0), sigma=0.25)
    patches_run(folder / "patches", 3, 1)
    return folder


def test_the_page_says_what_was_written(runs, tmp_path):
    page = report.write_report([runs], tmp_path / "out")
    assert [file.name for file in page.files][0] == "report.md"
    assert {file.name for file in page.files} == set(written(tmp_path / "out"))
    assert page.table in (tmp_path / "out" / "report.md").read_text()
    assert page.table.count("\n") == 2 + 4  # head, rule, a row for each run


def test_pictures_of_an_older_report_go(runs, tmp_path):
    report.write_report([runs], tmp_path / "out")
    assert {"picture.png", "certified.png"} <= written(tmp_path / "out").keys()
    report.write_report([runs / "patches"], tmp_path / "out", images=0)
    assert written(tmp_path / "out").keys() == {"report.md", "report.csv"}
    text = (tmp_path / "out" / "report.md").read_text()
    assert "No picture was asked for." in text and "picture.png" not in text


def test_older_folders_give_the_same_bytes(runs, tmp_path):
    report.write_report([runs], tmp_path / "new")
    for path in runs.rglob("run.json"):
        info = json.loads(path.read_text())
        info["flags"] = info.pop("fields")
        path.write_text(json.dumps(info))
    report.write_report([runs], tmp_path / "old")
    assert written(tmp_path / "new") == written(tmp_path / "old")


def test_an_unfinished_run_is_in_the_table_without_totals(runs, tmp_path):
    for path in runs.rglob("summary.json"):
        path.unlink()
    page = report.write_report([runs], tmp_path / "out")
    assert page.table.count("unfinished: no totals yet") == 4


def test_a_place_that_holds_something_else_is_refused(runs, tmp_path):
    with pytest.raises(InputError, match="`out`=.* holds a run"):
        report.write_report([runs], runs / "noise")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="`out`=.* is a file"):
        report.write_report([runs], tmp_path / "file")
    assert not (runs / "noise" / "report.md").exists()
