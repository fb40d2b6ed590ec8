"""Reporting from research code."""

from mspd_jax import jobs
from tests.report.folders import evaluate_run


def test_the_job_writes_what_the_library_writes(tmp_path):
    run = evaluate_run(tmp_path, "one", "digits:test", 0.5)
    page = jobs.Report(runs=(run,), images=0).run(tmp_path / "out")
    assert "| one | evaluate |" in page.table
    assert sorted(file.name for file in page.files) == ["report.csv", "report.md"]
    assert all(file.exists() for file in page.files)
