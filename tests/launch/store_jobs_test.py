"""Every job on an S3 server: the files of a run on the disk; shards put together there.

Jobs that go image by image run there in two processes, trainings in one, as their sums
over a batch round by the number of processes.
"""

import json
import os
import signal
import threading
import time

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import jobs, models, paths, runs
from tests.launch import mains, s3, small_jobs
from tests.launch.s3 import BUCKET, server

__all__ = ["server"]  # a fixture

pytestmark = pytest.mark.slow
REPORTED = ("protect", "revert", "evaluate", "smoothing", "patches")
# `train_classifier` is that of store_test.py.
TRAINED = ("stab", "diffusion", "train_trn")
RELEASED = ("mse", "clf")  # much like the first of these
SHARDED = ("protect", "evaluate", "smoothing")


@pytest.fixture(scope="module")
def ground(server, tmp_path_factory):
    """What all jobs make on the disk and, under the same names, in the bucket."""
    path = tmp_path_factory.mktemp("ground")
    small_jobs.save_models(path)
    models.save_model(BUCKET / "cnn", models.load_model(path / "cnn"))
    shapes = {"conv0.weight": (4, 1, 3, 3), "conv0.bias": (4,)}
    shapes |= {"linear.weight": (3, 4), "linear.bias": (3,)}
    tensors = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    save_file(tensors, path / "net.safetensors")
    convert = {"job": "convert", "torch": f"{path}/net.safetensors"}
    convert |= {"arch": "small_cnn", "image_shape": "8,8,1"}
    alone = {name: small_jobs.TRAININGS[name] for name in TRAINED}
    alone["convert"] = convert
    report = {"job": "report", "runs": ",".join(f"@/{name}" for name in REPORTED)}
    images = small_jobs.IMAGES
    here = images | alone
    both = small_jobs.write_jobs(path / "here.jsonl", here, path, path)
    with open(both, "a") as file:
        there = small_jobs.write_jobs(path / "there.jsonl", alone, BUCKET, BUCKET)
        file.write(there.read_text())
    shared = images | {"report": report, "convert2": convert}
    pair = small_jobs.write_jobs(path / "pair.jsonl", shared, BUCKET, BUCKET)
    commands = [("tests.launch.in_turn", [str(both)])]
    commands += [
        ("tests.launch.in_turn", [str(pair), *own]) for own in mains.cluster(2)
    ]
    with mains.together(commands, devices=2, hastily=True) as begun:
        for code, _, err in begun.finish():
            assert code == 0, err
    return path


@pytest.fixture(scope="module")
def released(ground):
    """The ground, where trainings for a release have run, too."""
    some = {name: small_jobs.TRAININGS[name] for name in RELEASED}
    for root in (ground, BUCKET):
        file = small_jobs.write_jobs(ground / "released.jsonl", some, root, root)
        small_jobs.run_jobs(file, devices=2)
    return ground


@pytest.mark.parametrize("name", small_jobs.IMAGES)
def test_two_processes_write_the_files_of_the_disk(ground, name):
    s3.assert_same(ground / name, BUCKET / name)


@pytest.mark.parametrize("name", TRAINED)
def test_trainings_learn_the_same_to_the_bit(ground, name):
    assert_same_training(ground, name)


@pytest.mark.release
@pytest.mark.parametrize("name", RELEASED)
def test_trainings_for_a_release_learn_the_same_to_the_bit(released, name):
    assert_same_training(released, name)


def assert_same_training(ground, name):
    # Orbax does not write the same bytes twice, nor is a log's time the same.
    s3.assert_same(ground / name, BUCKET / name, skip=("model/", "checkpoints/"))
    one, other = (models.load_model(root / name) for root in (ground, BUCKET))
    jax.tree.map(np.testing.assert_array_equal, one.variables, other.variables)
    losses = [
        [x["loss"] for x in runs.read_metrics(f / name)] for f in (ground, BUCKET)
    ]
    assert len(losses[0]) == 2 and losses[0] == losses[1]


def test_a_converted_checkpoint_is_the_same(ground):
    wanted = models.function_hash(models.load_model(ground / "convert"))
    for name in ("convert", "convert2"):
        assert models.function_hash(models.load_model(BUCKET / name)) == wanted


def test_a_report_on_runs_in_a_store_is_that_on_copies_of_them(ground, tmp_path):
    for name in REPORTED:
        paths.fetch(BUCKET / name, tmp_path / name)
    copies = tuple(tmp_path / name for name in REPORTED)
    page = jobs.Report(runs=copies).run(tmp_path / "report")
    assert {path.name for path in page.files} >= {"picture.png", "certified.png"}
    assert s3.content(tmp_path / "report") == s3.content(BUCKET / "report")


@pytest.fixture(scope="module")
def cells(ground):
    """The flags of a sweep over jobs whose runs in one piece are there."""
    file = ground / "cells.jsonl"
    lines = [json.dumps(small_jobs.IMAGES[name] | {"name": name}) for name in SHARDED]
    text = "".join(f"{line}\n" for line in lines)
    file.write_text(text.replace("@", str(BUCKET)))
    return (f"--cells={file}", "--shards=2", "--executor=here")


def sweeping(cells, out):
    """The sweep, begun, with programs that round as those of the runs in one piece."""
    commands = [("sweep", [*cells, f"--out={out}"])]
    return mains.together(commands, devices=2, hastily=True)


def finish(cells, out):
    with sweeping(cells, out) as begun:
        ((code, said, err),) = begun.finish()
    assert code == 0 and "3 cells, 3 finished, 0 failed" in said, err


def cell_of(out, name):
    (folder,) = [p for p in paths.children(out) if p.name[:-9] == name]
    return folder


def test_shards_become_one_run_though_killed_while_they_are_put_together(
    ground, cells, server
):
    out = BUCKET / "sweep"
    copies, dead = [], threading.Event()

    def hold(method, path):
        """Lets some images of the whole runs be copied, and no more until the kill."""
        if method == "PUT" and "/sweep/" in path and ".shards/" not in path:
            if "/images/" in path:
                copies.append(path)
                if len(copies) > 7:
                    dead.wait(60)

    with server.in_trouble(hold):
        with sweeping(cells, out) as begun:
            end = time.monotonic() + 120
            while len(copies) < 8 and time.monotonic() < end:
                time.sleep(0.01)
            os.kill(begun.pids[0], signal.SIGKILL)
            (code, _, err), *_ = begun.finish()
            dead.set()
    assert code == -signal.SIGKILL and len(copies) >= 8, err
    whole = cell_of(out, "protect")
    assert not runs.is_marked(whole) and not paths.exists(whole / "records.jsonl")
    first = dict(server.written)
    finish(cells, out)
    for name in SHARDED:
        s3.assert_same(ground / name, cell_of(out, name))
    parts = [path for path in first if ".shards/" in path and "/images/" in path]
    assert parts and all(server.written[path] == first[path] for path in parts)
    # The parts have done their duty.
    paths.remove(p for p in paths.files_below(out) if ".shards" in str(p))
    finish(cells, out)
