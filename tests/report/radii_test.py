"""The plot of evaluations at several radii."""

from mspd_jax.report._radii import radii_section, radius_curves
from mspd_jax.runs import read_runs
from tests.report.folders import sweep_run, write_run


def test_a_sweep_gives_a_curve_and_its_own_folder_is_no_run(tmp_path):
    write_run(tmp_path, "evaluate-sweep", {}, [])
    sweep_run(tmp_path, "8/255", 0.25, reliable=False)
    sweep_run(tmp_path, "2/255", 0.5)
    read = read_runs([str(tmp_path)])
    assert sorted(run.name for run in read) == ["at 2_255", "at 8_255"]
    section = radii_section(read)
    assert section.pictures["curve.png"].startswith(b"\x89PNG")
    assert "against eps" in section.text
    # Another source is another line, and a line needs two points.
    other = sweep_run(tmp_path / "x", "8/255", 0.2, source="digits:train")
    read += read_runs([str(other)])
    assert [len(c.points) for c in radius_curves(read)] == [3]
    section = radii_section(read[:1])
    assert not section.pictures and "No curve" in section.text
