"""Reading the folders of runs, and whether a run has finished."""

import json

import pytest

from mspd_jax.errors import InputError
from mspd_jax.runs import is_unfinished, read_runs


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


def write_run(path, **info):
    path.mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text(json.dumps({"job": "protect", **info}))
    (path / "summary.json").write_text("{}")


def test_folders_of_runs_are_searched_and_names_tell_them_apart(tmp_path):
    for end in ("a/x", "b/x", "b/y"):
        write_run(tmp_path / end)
    runs = read_runs([str(tmp_path), str(tmp_path / "a" / "x")])
    assert [run.name for run in runs] == ["a/x", "b/x", "b/y"]


def broken(path):
    write_run(path)
    (path / "summary.json").write_text("{")
    return "cannot read .*summary.json"


def no_object(path):
    write_run(path)
    (path / "run.json").write_text("[1]")
    return "run.json holds no JSON object"


def absent(path):
    return "there is no folder"


def no_run(path):
    path.mkdir()
    return "is no run folder and holds none"


@pytest.mark.parametrize("make", [broken, no_object, absent, no_run])
def test_what_is_no_run_is_refused_in_one_line(tmp_path, make):
    message = make(tmp_path / "in")
    with pytest.raises(InputError, match=message) as caught:
        read_runs([str(tmp_path / "in")])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["fields", "flags"])
def test_fields_of_older_folders_are_their_flags(tmp_path, key):
    write_run(tmp_path / "in", **{key: {"eps": "8/255"}})
    (run,) = read_runs([str(tmp_path / "in")])
    assert run.fields == {"eps": "8/255"}
