"""Whether the run in a folder has finished."""

import json

from mspd_jax.runs import is_unfinished


def test_a_run_is_finished_once_its_summary_counts_its_records(tmp_path):
    assert not is_unfinished(tmp_path)  # no run at all
    (tmp_path / "records.jsonl").write_text('{"index": 1}\n')
    assert not is_unfinished(tmp_path)  # records that somebody copied
    (tmp_path / "run.json").write_text("{}")
    assert is_unfinished(tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps({"images": 3}))
    assert not is_unfinished(tmp_path)
    assert not is_unfinished(tmp_path, images=3)
    assert is_unfinished(tmp_path, images=2) and is_unfinished(tmp_path, images=4)
    (tmp_path / "summary.json").write_text("{}")  # of no job that counts images
    assert not is_unfinished(tmp_path, images=2)
