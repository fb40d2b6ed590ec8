"""Jobs on a real S3 server: the files of a local run, through kills and outages."""

import hashlib
import json
import re
import signal
import socket
import time

import jax
import numpy as np
import pytest

from mspd_jax import data, models, paths, runs
from tests.launch import mains, s3
from tests.launch.certify_test import save_denoiser

pytestmark = pytest.mark.slow
BUCKET = paths.as_path("s3://bucket")


@pytest.fixture(scope="module")
def server():
    with s3.serving() as running:
        yield running


@pytest.fixture(scope="module")
def ground(server, tmp_path_factory):
    """Models and images, on the disk and in the bucket under the same names."""
    path = tmp_path_factory.mktemp("ground")
    mains.save_small_model(path / "cnn", seed=5)
    save_denoiser(path / "denoiser", 0.2)
    source = data.open_source("digits:test", limit=40)
    images, labels = data.load_arrays(source)
    np.savez(path / "images.npz", x=images, y=labels)
    for place in range(20):
        name = f"{source.indices[place]:05d}_{labels[place]}.png"
        data.write_png(path / "pictures" / name, images[place])
    for file in sorted(path.rglob("*")):
        if file.is_file():
            runs.write_file(BUCKET / file.relative_to(path), file.read_bytes())
    return path


def content(folder, skip=()):
    """All files below a folder by name, but for what is never the same."""
    if paths.is_store(folder):
        found = paths.files_below(folder)
    else:
        found = [p for p in folder.rglob("*") if p.is_file()]
    names = {p.relative_to(folder).as_posix(): p for p in found}
    kept = {n: p for n, p in names.items() if not n.startswith(tuple(skip))}
    return {name: paths.read_bytes(path) for name, path in sorted(kept.items())}


SEALS = ("MANIFEST.json", "_SUCCESS")
TIMED = ("run.json", "summary.json", "metrics.jsonl")


def assert_same(local, store, skip=()):
    here = content(local, (*TIMED, *skip))
    there = content(store, (*TIMED, *SEALS, *skip))
    assert here and here == there
    one, other = (
        json.loads(paths.read_text(folder / "summary.json"))
        for folder in (local, store)
    )
    timed = ("seconds", "images_per_second", "images_computed", "runs")
    for summary in (one, other):
        for name in timed:
            summary.pop(name, None)
    assert one == other
    assert_sealed(store)


def assert_sealed(store):
    """The manifest is true, and nothing but what it lists is there."""
    files = json.loads(paths.read_text(store / "MANIFEST.json"))["files"]
    assert paths.read_bytes(store / "_SUCCESS") == b""
    found = content(store, SEALS)
    assert files.keys() == found.keys()
    for name, entry in files.items():
        assert entry["sha256"] == hashlib.sha256(found[name]).hexdigest()


def both(ground, job, *flags, name):
    """Runs a job on the disk, and with all of its paths in the bucket."""
    for root, out in ((ground, ground / name), (BUCKET, BUCKET / name)):
        given = [flag.replace("@", str(root)) for flag in flags]
        code, _, err = mains.run(job, *given, f"--out={out}", devices=2)
        assert code == 0, err
    return ground / name, BUCKET / name


def test_protect_revert_evaluate_and_report(ground):
    flags = ("--source=folder:@/pictures", "--surrogate=@/cnn", "--eps=0.1")
    few = ("--samples=2", "--batch_size=4")
    assert_same(*both(ground, "protect", *flags, *few, name="protect"))
    again = ("--source=folder:@/protect", "--original=folder:@/pictures")
    assert_same(*both(ground, "revert", *again, *flags[1:], *few, name="revert"))
    flags = ("--source=folder:@/protect", "--attack=pgd-5,fgsm", "--eps=0.1,0.05")
    flags = (*flags, "--target=@/cnn", "--save_images", "--check_images=4")
    local, store = both(ground, "evaluate", *flags, name="evaluate")
    for cell in ("cnn/eps_0.1", "cnn/eps_0.05"):
        assert_same(local / cell, store / cell)
    assert paths.exists(store / "_SUCCESS")
    runs_of = "--runs=@/protect,@/revert,@/evaluate"
    local, store = both(ground, "report", runs_of, name="report")
    assert content(local).keys() == content(store).keys()
    one, other = (paths.read_text(folder / "report.csv") for folder in (local, store))
    assert one.count("\n") == other.count("\n") > 3
    table = paths.read_text(store / "report.md")
    assert "picture.png" in table and "Verdicts by the target" in table


@pytest.mark.parametrize(
    "flags",
    [
        ("--method=smoothing", "--sigma=0.2", "--samples=200", "--selection=20"),
        (
            "--method=denoised",
            "--denoiser=@/denoiser",
            "--sigma=0.2",
            "--samples=50",
            "--selection=10",
        ),
    ],
)
def test_certify(ground, flags):
    flags = ("--source=npz:@/images.npz", "--target=@/cnn", "--limit=6", *flags)
    name = re.sub(r"\W", "", flags[3])
    assert_same(*both(ground, "certify", *flags, name=name))


def test_training(ground):
    flags = ("--source=npz:@/images.npz", "--eval_source=npz:@/images.npz")
    flags += ("--arch=small_cnn", '--arch_options={"widths": [4]}', "--epochs=3")
    flags += ("--batch_size=8", "--checkpoint_every=4", "--eval_limit=16")
    local, store = both(ground, "train_classifier", *flags, name="trained")
    # Orbax does not write the same bytes twice; the numbers are the same.
    assert_same(local, store, skip=("model/", "checkpoints/"))
    one, other = models.load_model(local), models.load_model(store)
    assert models.model_hash(one) == models.model_hash(other)
    kept = content(store / "checkpoints")
    assert len(kept) == 2 and all(name.endswith(".safetensors") for name in kept)
    lines = paths.read_text(store / "metrics.jsonl").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    # Done is done, and a model goes on from there.
    out = f"--out={store}"
    given = [flag.replace("@", str(BUCKET)) for flag in flags]
    code, said, err = mains.run("train_classifier", *given, out, devices=2)
    assert code == 0 and said.startswith("finished before"), err


PROTECT = ("--source=digits:test", "--eps=0.1", "--limit=96", "--samples=100")
PROTECT = (*PROTECT, "--batch_size=4", "--block=4")


@pytest.fixture(scope="module")
def expected(ground):
    out = ground / "expected"
    flags = (*PROTECT, f"--surrogate={ground}/cnn", f"--out={out}")
    code, _, err = mains.run("protect", *flags, devices=1)
    assert code == 0, err
    return out


def begin(out, *flags):
    flags = (*PROTECT, f"--surrogate={BUCKET}/cnn", f"--out={out}", *flags)
    return mains.start("protect", *flags, devices=1)


def finish(process, code=0):
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, err[-3000:]
    return err


def parts(out):
    return list(paths.files_below(out / "records.parts"))


def test_killed_and_taken_up_by_two_processes_and_by_one(server, ground, expected):
    out = BUCKET / "killed"
    process = begin(out)
    s3.wait_for(lambda: len(parts(out)) >= 5, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = runs.read_records(out)
    assert 20 <= len(done) < 96
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = (f"--coordinator={address}", "--num_processes=2")
    pair = [begin(out, *cluster, f"--process_id={i}") for i in range(2)]
    s3.wait_for(lambda: any("-of-00002" in p.name for p in parts(out)), pair[0])
    for process in pair:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    later, before = runs.read_records(out), dict(server.written)
    assert len(done) < len(later) < 96
    assert not paths.exists(out / "summary.json")
    finish(begin(out))
    assert_same(expected, out)
    for record in later:  # nothing that was done is done again
        name = f"/bucket/killed/{record['file']}"
        assert server.written[name] == before[name] > 0
    assert not parts(out)


def test_two_processes_write_what_one_does(expected):
    out = BUCKET / "two"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = (f"--coordinator={address}", "--num_processes=2")
    for process in [begin(out, *cluster, f"--process_id={i}") for i in range(2)]:
        finish(process)
    assert_same(expected, out)


def test_a_server_in_trouble_is_waited_for(server, expected):
    out = BUCKET / "trouble"
    end = []

    def trouble(method, path):
        """500 and 503 in turn, for some seconds once there are a few parts."""
        if "records.parts" in path and method == "PUT":
            end.append(time.monotonic() + 6)
        if len(end) < 4 or time.monotonic() > end[3]:
            return None
        return 500 if sum(server.refused.values()) % 2 else 503

    server.refused.clear()
    with server.in_trouble(trouble):
        finish(begin(out))
    assert server.refused[500] and server.refused[503]
    assert_same(expected, out)


def test_a_server_that_is_gone_ends_in_one_line_and_loses_nothing(
    server, expected, monkeypatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    out = BUCKET / "gone"
    process = begin(out)
    s3.wait_for(lambda: len(parts(out)) >= 4, process)
    server.stop()
    try:
        err = finish(process, code=1)
    finally:
        server.start()
    lines = [line for line in err.splitlines() if line.strip("\r")]
    lines = [line for line in lines if "protect: " not in line]  # the progress
    assert len(lines) == 1 and lines[0].startswith("error: cannot "), err
    assert "the same command goes on" in lines[0]
    assert len(runs.read_records(out)) >= 16
    finish(begin(out))
    assert_same(expected, out)


def refusal(*flags, job="protect"):
    """The one line with which a main refuses."""
    code, _, err = mains.run(job, *flags, devices=1)
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("error: "), err
    return err


def test_bad_input_is_one_line(server, ground, monkeypatch, tmp_path):
    flags = ("--eps=0.1", f"--surrogate={ground}/cnn", "--limit=4")
    source, out = f"--source=npz:{BUCKET}/images.npz", f"--out={BUCKET}/bad"
    err = refusal(*flags, source, "--out=s3://unknown/out")
    assert "there is no bucket 'unknown'" in err
    err = refusal(*flags, "--source=npz:s3://unknown/images.npz", out)
    assert "s3://unknown/images.npz" in err
    err = refusal(*flags, source, "--out=ftp://host/out")
    assert "ftp:// is no store that is known" in err
    err = refusal("--runs=s3://unknown/out", f"--out={tmp_path}/r", job="report")
    assert "there is no folder s3://unknown/out" in err

    def read_only(method, path):
        return 403 if method in ("PUT", "POST", "DELETE") else None

    with server.in_trouble(read_only):
        err = refusal(*flags, source, out)
    assert "cannot write s3://bucket/bad/run.json: the store refuses it" in err
    with server.in_trouble(lambda method, path: 403):
        err = refusal(*flags, source, out)
    assert "the store refuses it" in err and "AWS_ACCESS_KEY_ID" in err
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    err = refusal(*flags, source, out)
    assert "no credentials" in err and "AWS_ACCESS_KEY_ID" in err
    assert not content(BUCKET / "bad")


def test_a_killed_training_ends_with_the_same_weights(ground):
    flags = ("--source=digits:train", "--arch=small_cnn", "--epochs=12")
    flags += ('--arch_options={"widths": [4]}', "--batch_size=64", "--ema=0.9")
    flags += ("--checkpoint_every=10",)
    whole, killed = ground / "whole", BUCKET / "killed_training"
    finish(mains.start("train_classifier", *flags, f"--out={whole}", devices=1))
    command = (*flags, f"--out={killed}")
    process = mains.start("train_classifier", *command, devices=1)
    s3.wait_for(lambda: len(paths.files_below(killed / "checkpoints")) >= 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not paths.exists(killed / "model")
    finish(mains.start("train_classifier", *command, devices=1))
    one, other = models.load_model(whole), models.load_model(killed)
    assert models.model_hash(one) == models.model_hash(other)
    jax.tree.map(np.testing.assert_array_equal, one.variables, other.variables)
    found = [[r["epoch"] for r in runs.read_metrics(f)] for f in (whole, killed)]
    assert found[0] == found[1] == list(range(1, 13))
    assert_sealed(killed)


def test_two_processes_train_a_model_that_one_takes_up(server):
    out = BUCKET / "trained_by_two"
    flags = ("--source=digits:train", "--arch=small_cnn", "--epochs=2")
    flags += ('--arch_options={"widths": [4]}', "--batch_size=64", f"--out={out}")
    flags += ("--eval_source=digits:test", "--eval_limit=16")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = (f"--coordinator={address}", "--num_processes=2")
    pair = [
        mains.start(
            "train_classifier", *flags, *cluster, f"--process_id={i}", devices=2
        )
        for i in range(2)
    ]
    for process in pair:
        finish(process)
    assert_sealed(out)
    assert models.load_model(out).spec.architecture == "small_cnn"
    assert [line["epoch"] for line in runs.read_metrics(out)] == [1, 2]
    assert len(runs.read_records(out)) == 16
    assert server.written[f"/bucket/trained_by_two/model/{paths.SUMS}"] == 1
    code, said, err = mains.run("train_classifier", *flags, devices=1)
    assert code == 0 and said.startswith("finished before"), err
