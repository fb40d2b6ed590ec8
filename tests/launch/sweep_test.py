"""sweep as a program: what it refuses, and 24 cells on workers of which one is lost."""

import json
import os
import pathlib
import signal
import time

import pytest

from tests.launch import mains

JOB = ("--job=protect", "--source=digits:test", "--limit=3", "--grid=eps=0.05,0.1,0.15")
GRID = (*JOB, "--grid=samples=1,2", "--grid=seed=0,1")
CELLS = 24


def flags(ground, out):
    """24 cells on digits, with two models."""
    surrogates = f"--grid=surrogate={ground}/a,{ground}/b"
    return (*GRID, surrogates, f"--out={out}")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    path = tmp_path_factory.mktemp("ground")
    for seed, name in enumerate("ab"):
        mains.save_small_model(path / name, seed=seed)
    return path


def check_complete(out, ground, *, cells=CELLS):
    """Every cell once, and all in the table."""
    infos = sorted(out.glob("*/run.json"))
    assert len(infos) == cells
    for info in infos:
        fields = json.loads(info.read_text())["fields"]
        lines = (info.parent / "records.jsonl").read_text().splitlines()
        assert [json.loads(line)["index"] for line in lines] == [0, 4, 8]
        totals = json.loads((info.parent / "summary.json").read_text())
        assert totals["images"] == 3 and fields["surrogate"].startswith(str(ground))
    totals = json.loads((out / "summary.json").read_text())
    assert (totals["cells"], totals["finished"], totals["failed"]) == (cells, cells, [])
    table = (out / "report" / "report.md").read_text().partition("### protect")[2]
    rows = [line for line in table.splitlines() if line.startswith("| 0.")]
    assert len(rows) == cells
    assert len(list((out / "report").glob("sweep_protect_*.png"))) == 6


def when_begun(out, process, count):
    """Waits until so many cells have finished."""
    limit = time.monotonic() + 400
    while len(list(out.glob("*/summary.json"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit
        time.sleep(0.05)


def children(pid):
    """The processes that a process has started."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--grid=epss=0.1",), "protect has no field --epss: did you mean --eps?"),
        (("--executor=dask",), "value should be one of <local|ray|slurm|here>"),
        (("--grid=samples=2,2",), "cell 1 and cell 2 are the same"),
        (("--job=protct",), "--job=protct: did you mean protect?"),
    ],
)
def test_bad_input_is_a_line_and_writes_nothing(tmp_path, given, words):
    common = ("--source=digits:test", "--surrogate=A", "--eps=0.1")
    code, out, err = mains.run(
        "sweep", "--job=protect", *common, *given, f"--out={tmp_path}/out"
    )
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err and not (tmp_path / "out").exists()


def test_help_shows_the_flags_of_the_job_that_is_named():
    code, out, err = mains.run("sweep", "--job=certify", "--help")
    assert code == 0
    for flag in ("--grid", "--executor", "--sigma", "--chunk", "--method"):
        assert flag in out + err


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc").is_dir(), reason="looks into /proc")
def test_24_cells_survive_the_loss_of_a_worker(ground, tmp_path):
    out = tmp_path / "out"
    process = mains.start("sweep", *flags(ground, out), "--workers=2", devices=1)
    when_begun(out, process, 3)
    workers = children(process.pid)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    said, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "24 cells, 24 finished, 0 failed" in said
    check_complete(out, ground)
    # The same command finds all done.
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/summary.json")}
    code, said, err = mains.run("sweep", *flags(ground, out))
    assert code == 0 and "24 cells, 24 finished" in said, err
    assert before == {p: p.stat().st_mtime_ns for p in out.glob("*/summary.json")}
    # And a cell is what its job alone would have written.
    cell = next(out.glob("*/run.json")).parent
    fields = json.loads((cell / "run.json").read_text())["fields"]
    names = ("source", "limit", "eps", "samples", "seed", "surrogate")
    alone = [f"--{name}={fields[name]}" for name in names]
    code, _, err = mains.run("protect", *alone, f"--out={tmp_path}/alone")
    assert code == 0, err
    assert mains.files(tmp_path / "alone") == mains.files(cell)


@pytest.mark.slow
def test_workers_end_with_the_sweep(ground, tmp_path):
    out = tmp_path / "out"
    process = mains.start("sweep", *flags(ground, out), "--workers=2", devices=1)
    when_begun(out, process, 1)
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    limit = time.monotonic() + 20
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < limit, "a worker goes on alone"
        time.sleep(0.1)


@pytest.mark.slow
def test_failed_cells_do_not_stop_the_others(ground, tmp_path):
    out = tmp_path / "out"
    code, said, err = mains.run(
        "sweep",
        "--job=protect",
        "--source=digits:test",
        "--limit=2",
        "--eps=0.1",
        "--samples=1",
        f"--grid=surrogate={ground}/a,{ground}/none",
        "--workers=1",
        f"--out={out}",
    )
    assert code == 1
    assert "2 cells, 1 finished, 1 failed" in said
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert line.startswith("error: surrogate_none-") and "no model" in line
    assert "- surrogate=" in (out / "report" / "report.md").read_text()


@pytest.mark.slow
def test_a_chain_trains_protects_and_evaluates(tmp_path):
    cells = [
        {"name": "e", "job": "evaluate", "source": "folder:@p", "target": "@t"},
        {"name": "p", "job": "protect", "source": "digits:test", "surrogate": "@t"},
        {"name": "t", "job": "train_classifier", "source": "digits:train"},
    ]
    cells[0] |= {"attack": "fgsm", "eps": "0.1", "check_images": 0}
    cells[1] |= {"samples": 2, "eps": 0.1, "limit": 20}
    cells[2] |= {"arch": "small_cnn", "arch_options": '{"widths": [4]}', "epochs": 1}
    cells[2] |= {"limit": 64, "batch_size": 64}
    path = tmp_path / "cells.jsonl"
    path.write_text("".join(json.dumps(cell) + "\n" for cell in cells))
    out = tmp_path / "out"
    code, said, err = mains.run(
        "sweep", f"--cells={path}", "--shards=2", "--workers=1", f"--out={out}"
    )
    assert code == 0, err
    assert "3 cells, 3 finished" in said
    (evaluated,) = out.glob("e-????????")
    totals = json.loads((evaluated / "summary.json").read_text())
    assert totals["images"] == 20
