"""What lies in the folders of several runs."""

import pytest

from mspd_jax import runs
from mspd_jax.errors import InputError


def test_parts_are_no_runs_once_the_whole_has_finished(tmp_path):
    for name in ("a", "a.shards/1_of_2", "a.shards/2_of_2", "b.shards/1_of_1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").write_text('{"job": "protect"}')
    assert len(runs.read_runs([str(tmp_path)])) == 4
    (tmp_path / "a" / "summary.json").write_text("{}")
    found = {run.path.name for run in runs.read_runs([str(tmp_path)])}
    assert found == {"a", "1_of_1"}


def test_a_sweep_is_known_by_its_mark(tmp_path):
    run = tmp_path / "x"
    run.mkdir()
    (run / "run.json").write_text('{"job": "protect"}')
    found = runs.read_runs([str(tmp_path)])
    assert runs.sweeps_among([str(tmp_path)], found) == []
    runs.mark_folder(tmp_path, {"job": "sweep"})
    runs.mark_folder(tmp_path, {"job": "another"})
    (tmp_path / "summary.json").write_text('{"failed": [{"cell": "c"}]}')
    (sweep,) = runs.sweeps_among([str(tmp_path)], found)
    assert ([r.path for r in sweep.runs], sweep.failed) == ([run], [{"cell": "c"}])
    assert runs.sweeps_among([str(run)], found) == []


def test_a_file_that_cannot_be_read_is_a_line(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff")
    for name in ("x", "none", "."):
        with pytest.raises(InputError, match="cannot read"):
            runs.read_lines(tmp_path / name)
    assert runs.names_in(tmp_path / "none") == []
