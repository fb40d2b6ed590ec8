"""Reporting from research code."""

import pytest

from mspd_jax import drive, jobs
from tests.report.folders import evaluate_run


def test_the_job_writes_what_the_library_writes(tmp_path):
    run = evaluate_run(tmp_path, "one", "digits:test", 0.5)
    page = jobs.Report(runs=(run,), images=0).run(tmp_path / "out")
    assert "| one | evaluate |" in page.table
    assert sorted(file.name for file in page.files) == ["report.csv", "report.md"]
    assert all(file.exists() for file in page.files)


@pytest.mark.parametrize("process", [0, 1])
def test_of_several_processes_the_first_one_writes(tmp_path, monkeypatch, process):
    run = evaluate_run(tmp_path, "one", "digits:test", 0.5)
    out, there = tmp_path / "out", []
    here = drive.here()._replace(process=process, processes=2)
    monkeypatch.setattr(drive, "in_cluster", lambda: True)
    monkeypatch.setattr(drive, "here", lambda: here)
    monkeypatch.setattr(drive, "barrier", lambda: there.append(out.exists()))
    page = jobs.Report(runs=(run,), images=0).run(out)
    assert there == [process == 0], "the others wait until it is written"
    assert bool(page.files) == bool(page.table) == (process == 0)
