"""What a report says of the reliability checks."""

from mspd_jax.report._checks import checks_section
from mspd_jax.report._section import Section
from mspd_jax.runs import read_runs
from tests.report.folders import sweep_run, write_run


def test_a_failed_check_comes_with_advice(tmp_path):
    sweep_run(tmp_path, "8/255", 0.25, reliable=False)
    section = checks_section(read_runs([str(tmp_path)])).text
    assert "**Unreliable**: black box failed" in section
    for word in ("FAILED", "3 of 20 images", "at most 1 %", "attack adaptively"):
        assert word in section


def test_a_passed_check_needs_no_advice(tmp_path):
    sweep_run(tmp_path, "8/255", 0.25)
    section = checks_section(read_runs([str(tmp_path)])).text
    assert "No check failed" in section and "attack adaptively" not in section


def test_without_evaluations_there_is_no_section(tmp_path):
    write_run(tmp_path / "net", "train_classifier", {}, [], {})
    assert checks_section(read_runs([str(tmp_path)])) == Section()
