"""What is kept of the runs behind a table."""

import json

from benchmarks import record
from mspd_jax.runs import read_runs
from tests.report.folders import write_run


def run(root, name, commit, seed):
    fields = {"seed": seed, "source": "digits:test"}
    info = {"started": f"2026-01-0{seed + 1}T00:00:00Z", "git_commit": commit}
    info |= {"versions": {"jax": f"0.{seed}"}, "device": "cpu", "devices": 2}
    summary = {"seconds": 90.0}
    write_run(root / name, "evaluate", fields, [{"index": 0}], summary, **info)


def test_no_folder_of_the_machine_is_kept(tmp_path):
    text = f"a,folder:{tmp_path}/made\n"
    assert record.without_folder(text, tmp_path) == "a,folder:OUT/made\n"


def test_every_commit_version_and_seed_is_named(tmp_path):
    run(tmp_path, "a", "c0ffee", 0)
    run(tmp_path, "b", "decade", 1)
    found = record.provenance(read_runs([str(tmp_path)]))
    assert found["commits"] == ["c0ffee", "decade"] and found["seeds"] == [0, 1]
    assert found["versions"] == ["jax 0.0", "jax 0.1"]
    assert found["started"] == ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]
    assert found["minutes computing"] == 3.0 and found["images"] == [1]
    assert found["devices"] == ["2 x cpu"]
    assert str(tmp_path) not in json.dumps(found)  # no folder of the machine
