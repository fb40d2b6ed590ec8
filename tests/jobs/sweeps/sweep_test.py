"""Whole sweeps in one process: folders, resuming, failures, shards, bad input."""

import dataclasses
import json

import pytest

from mspd_jax import data, jobs, paths, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs import Engine
from tests.jobs.linear import protect
from tests.launch.mains import files


@pytest.fixture(scope="module")
def job():
    return protect(5, samples=1, backward_epochs=0)


def finishing(seen, errors=None):
    """An engine that writes what a finished run leaves, or fails."""

    def start(tasks):
        for task in tasks:
            seen.append(task.cell.axes)
            if (errors or {}).get(task.cell.job.eps) is None:
                info = {"job": "protect", "fields": jobs.fields_of(task.cell.job)}
                write(task.folder, "run.json", info)
                write(task.folder, "summary.json", {"images": 0, "warnings": []})
        return [task.cell.job.eps for task in tasks]

    return Engine(start, lambda handles: handles, (errors or {}).get)


def write(folder, name, content):
    import pathlib

    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    pathlib.Path(folder, name).write_text(json.dumps(content))


PLAIN = jobs.Protect(source="digits:test", surrogate="A", eps="0.1")


def test_finished_cells_are_never_run_again_and_failed_ones_are(tmp_path):
    seen, out = [], tmp_path / "out"
    cells = jobs.grid(PLAIN, eps=["0.1", "0.2", "0.3"])
    found = jobs.sweep(cells, out, engine=finishing(seen, {"0.2": "no luck"}))
    assert len(seen) == 3
    assert [(c.axes["eps"], c.error) for c in found.failed] == [("0.2", "no luck")]
    noted = json.loads((out / "summary.json").read_text())
    assert (noted["cells"], noted["finished"]) == (3, 2)
    (failed,) = noted["failed"]
    assert (failed["cell"], failed["error"]) == ("eps=0.2", "no luck")
    assert "- eps=0.2: no luck" in (out / "report" / "report.md").read_text()
    seen.clear()
    cells += jobs.grid(PLAIN, eps=["0.1"], samples=[20])  # more may be asked for
    found = jobs.sweep(cells, out, engine=finishing(seen))
    assert {(axes["eps"], axes["samples"]) for axes in seen} == {
        ("0.2", 4),
        ("0.1", 20),
    }
    assert found.failed == () and len(found.cells) == 4
    assert json.loads((out / "summary.json").read_text())["failed"] == []


def test_a_run_of_other_fields_in_a_cells_folder_is_not_its_own(tmp_path):
    seen, out = [], tmp_path / "out"
    found = jobs.sweep([PLAIN], out, engine=finishing(seen))
    write(found.cells[0].folder, "run.json", {"job": "protect", "fields": {"eps": 1}})
    jobs.sweep([PLAIN], out, engine=finishing(seen))
    assert len(seen) == 2


def test_what_fails_before_a_cell_takes_that_with_it(tmp_path):
    chain = {
        "one": dataclasses.replace(PLAIN, eps="0.2"),
        "two": dataclasses.replace(PLAIN, source="folder:@one"),
    }
    engine = finishing([], {"0.2": "no luck"})
    found = jobs.sweep(chain, tmp_path / "out", engine=engine)
    assert [cell.error for cell in found.cells][0] == "no luck"
    assert "which failed" in found.cells[1].error


def test_a_sweep_in_a_store_is_that_of_the_disk(job, bucket, tmp_path):
    out = "s3://b/sweep"
    cells = jobs.grid(job, eps=["0.1", "0.2"])
    there = jobs.sweep(cells, out, executor="here")
    here = jobs.sweep(cells, tmp_path / "out", executor="here")
    assert [cell.error for cell in there.cells] == [None, None]
    for one, two in zip(there.cells, here.cells, strict=True):
        assert one.folder.name == two.folder.name
        records = (two.folder / "records.jsonl").read_text()
        assert paths.read_text(one.folder / "records.jsonl") == records
    assert "eps" in paths.read_text(paths.as_path(out) / "report" / "report.md")
    bucket.requests.clear()
    again = jobs.sweep(cells, out, executor="here")
    assert [cell.error for cell in again.cells] == [None, None]
    assert not [p for what, p in bucket.requests if what == "put" and "images" in p]


def test_a_cell_that_was_killed_before_it_was_sealed_is_sealed(job, bucket):
    (cell,) = jobs.sweep([job], "s3://b/sweep", executor="here").cells
    paths.remove([cell.folder / "_SUCCESS"])
    bucket.requests.clear()
    found = jobs.sweep([job], "s3://b/sweep", executor="here")
    assert found.failed == () and found.cells[0].summary == cell.summary
    assert paths.is_file(cell.folder / "_SUCCESS")
    assert not [p for what, p in bucket.requests if what == "put" and "images" in p]
    # One that has left images out is not sealed, and has ended all the same.
    warnings = ["unreadable, left out: 3.png"]
    runs.write_json(cell.folder / "summary.json", cell.summary | {"warnings": warnings})
    paths.remove([cell.folder / "_SUCCESS"])
    jobs.sweep([job], "s3://b/sweep", engine=finishing(seen := []))
    assert seen == []


def test_shards_in_a_store_become_one_run_to_the_byte(job, bucket, tmp_path):
    whole = job.run(tmp_path / "whole")
    (cell,) = jobs.sweep([job], "s3://b/sweep", shards=2, executor="here").cells
    assert cell.error is None
    for name, content in files(whole.folder).items():
        assert paths.read_bytes(cell.folder / name) == content
    assert paths.is_file(cell.folder / "_SUCCESS")
    assert cell.summary["images_computed"] == len(job.source.indices)
    before = {n: f for n, f in bucket.store.items() if cell.folder.name in n}
    again = jobs.sweep([job], "s3://b/sweep", shards=2, executor="here")
    assert again.failed == ()
    assert all(bucket.store[name] is file for name, file in before.items())


def test_shards_become_one_run_to_the_byte(job, tmp_path):
    whole = job.run(tmp_path / "whole")
    source = job.source
    found = jobs.sweep([job], tmp_path / "out", shards=2, executor="here")
    (cell,) = found.cells
    assert cell.error is None
    assert files(cell.folder) == files(whole.folder)
    one, two = (
        json.loads((folder / "summary.json").read_text())
        for folder in (whole.folder, cell.folder)
    )
    assert two["images_computed"] == len(source.indices)
    parts = paths.children(cell.folder.with_name(f"{cell.folder.name}.shards"))
    took = [runs.read_json(part / "summary.json")["seconds"] for part in parts]
    assert len(took) == 2 and two["seconds"] == pytest.approx(sum(took), abs=0.002)
    apart = {"seconds", "images_per_second", "compile_seconds"}
    assert {k: v for k, v in one.items() if k not in apart} == {
        k: v for k, v in two.items() if k not in apart
    }
    # A run of its own from now on: the job goes on with it, and finds all done.
    assert job.run(cell.folder).records == whole.records
    again = jobs.sweep([job], tmp_path / "out", shards=3, engine=finishing(seen := []))
    assert again.failed == () and seen == []


def test_a_whole_that_was_not_gathered_to_its_end_is_gathered_again(job, tmp_path):
    out = tmp_path / "out"
    source = data.select(job.source, job.source.indices[:2])
    cell = dataclasses.replace(job, source=source)
    (found,) = jobs.sweep([cell], out, shards=2, executor="here").cells
    wanted, totals = files(found.folder), found.summary
    # Killed when it had been gathered and not summed up, and while it was gathered.
    for names in (["summary.json"], ["run.json", "summary.json"]):
        for name in names:
            (found.folder / name).unlink()
        if len(names) == 2:
            (found.folder / "records.jsonl").write_text("{")
        (found,) = jobs.sweep([cell], out, shards=2, executor="here").cells
        assert found.error is None and files(found.folder) == wanted
        assert found.summary == totals


def test_shards_that_disagree_are_not_put_together(tmp_path):
    from mspd_jax.jobs.sweeps._shards import run_whole

    parts = [tmp_path / "1", tmp_path / "2"]
    for place, part in enumerate(parts):
        info = {"job": "protect", "fields": {}, "models": {"surrogate": place}}
        write(part, "run.json", info | {"started": str(place)})
    with pytest.raises(InputError, match="2 was computed with another models than"):
        run_whole(PLAIN, str(tmp_path / "out"), PLAIN.MACHINE, list(map(str, parts)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "a worker is told texts and numbers"),
        ({"shards": 9, "executor": "here"}, ""),
        ({"executor": "dask"}, "`executor`=dask: expected local, ray, slurm or here"),
    ],
)
def test_what_no_engine_can_run_is_refused(job, tmp_path, how, words):
    if not words:
        found = jobs.sweep([job], tmp_path / "out", **how)
        assert "9 parts are too many" in found.cells[0].error
        return
    cell = job if how == {} else PLAIN
    with pytest.raises(InputError, match=words):
        jobs.sweep([cell], tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()


def test_jobs_that_leave_nothing_to_find_are_refused(tmp_path):
    grid = jobs.EvaluateGrid(source="digits:test", target="A")
    for job in (jobs.Report(runs=("a",)), jobs.ListPublished(), grid):
        with pytest.raises(InputError, match="`job`=.*jobs: protect, "):
            jobs.sweep([job], tmp_path / "out")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="is not empty and holds no sweep"):
        jobs.sweep([PLAIN], tmp_path)
    with pytest.raises(InputError, match="is a file"):
        jobs.sweep([PLAIN], tmp_path / "photo.jpg")
    write(tmp_path / "run", "run.json", {"job": "protect"})
    with pytest.raises(InputError, match="holds another run"):
        jobs.sweep([PLAIN], tmp_path / "run")


def test_one_cell_runs_alone_when_what_it_needs_is_there(tmp_path):
    out = tmp_path / "out"
    lines = [
        {"name": "a", "job": "protect", "source": "nothing:x", "surrogate": "A"},
        {"name": "b", "job": "protect", "source": "folder:@a", "surrogate": "A"},
    ]
    path = tmp_path / "cells.jsonl"
    path.write_text("".join(json.dumps(line | {"eps": 0.1}) + "\n" for line in lines))
    sweep = jobs.Sweep(cells=str(path))
    with pytest.raises(InputError, match="`cell`=1 needs cell 0 .*not finished"):
        sweep.run(out, jobs.SweepMachine(cell=1))
    with pytest.raises(InputError, match="`cell`=2: the sweep has the cells 0 to 1"):
        sweep.run(out, jobs.SweepMachine(cell=2))
    assert not out.exists()
    found = sweep.run(out, jobs.SweepMachine(cell=0))
    assert "no model 'A'" in found.cells[0].error
