"""One run made of its parts, and what lies in a folder."""

import pytest

from mspd_jax import runs
from mspd_jax.errors import InputError


def part(root, number):
    folder = root / f"part{number}"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / f"{number}.png").write_bytes(bytes([number]))
    (folder / "images" / ".9.png.partial").write_bytes(b"torn")
    (folder / "records.jsonl").write_text(f'{{"index": {number}}}\n')
    (folder / "stages.jsonl").write_text(f"stage {number}\n")
    (folder / "run.json").write_text("{}")
    (folder / "summary.json").write_text("{}")
    return str(folder)


def test_a_run_is_made_of_its_parts_in_their_order(tmp_path):
    parts = [part(tmp_path, number) for number in (3, 1)]
    out = tmp_path / "out"
    for _ in range(2):  # as after a kill
        runs.gather_run(parts, out, {"job": "protect"})
    assert (out / "records.jsonl").read_text() == '{"index": 3}\n{"index": 1}\n'
    assert (out / "stages.jsonl").read_text() == "stage 3\nstage 1\n"
    found = {path.name: path.read_bytes() for path in (out / "images").iterdir()}
    assert found == {"1.png": b"\x01", "3.png": b"\x03"}
    assert runs.read_info(out) == {"job": "protect"}
    assert not (out / "summary.json").exists()


def test_files_are_copied_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    runs.gather_run([part(tmp_path, 1)], tmp_path / "out", {})
    assert (tmp_path / "out" / "images" / "1.png").read_bytes() == b"\x01"


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
