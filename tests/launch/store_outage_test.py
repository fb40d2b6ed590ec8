"""Runs on an S3 server that are killed, or whose server is in trouble, or gone."""

import signal
import time

import numpy as np
import pytest

from mspd_jax import data, models, paths, runs
from tests.launch import mains, s3
from tests.launch.s3 import BUCKET, server

__all__ = ["server"]  # a fixture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ground(server, tmp_path_factory):
    """A model, on the disk and in the bucket, and images there."""
    path = tmp_path_factory.mktemp("ground")
    mains.save_small_model(path / "cnn", seed=5)
    models.save_model(BUCKET / "cnn", models.load_model(path / "cnn"))
    images, labels = data.load_arrays(data.open_source("digits:test", limit=4))
    np.savez(path / "images.npz", x=images, y=labels)
    runs.write_file(BUCKET / "images.npz", (path / "images.npz").read_bytes())
    return path


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
    pair = [begin(out, *own) for own in mains.cluster(2)]
    s3.wait_for(lambda: any("-of-00002" in p.name for p in parts(out)), pair[0])
    for process in pair:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    later, before = runs.read_records(out), dict(server.written)
    assert len(done) < len(later) < 96
    assert not paths.exists(out / "summary.json")
    s3.finish(begin(out))
    s3.assert_same(expected, out)
    for record in later:  # nothing that was done is done again
        name = f"/bucket/killed/{record['file']}"
        assert server.written[name] == before[name] > 0
    assert not parts(out)


def test_two_processes_write_what_one_does(expected):
    out = BUCKET / "two"
    for process in [begin(out, *own) for own in mains.cluster(2)]:
        s3.finish(process)
    s3.assert_same(expected, out)


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
        s3.finish(begin(out))
    assert server.refused[500] and server.refused[503]
    s3.assert_same(expected, out)


def test_a_server_that_is_gone_ends_in_one_line_and_loses_nothing(
    server, expected, monkeypatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    out = BUCKET / "gone"
    process = begin(out)
    s3.wait_for(lambda: len(parts(out)) >= 4, process)
    server.stop()
    try:
        err = s3.finish(process, code=1)
    finally:
        server.start()
    lines = [line for line in err.splitlines() if line.strip("\r")]
    lines = [line for line in lines if "protect: " not in line]  # the progress
    assert len(lines) == 1 and lines[0].startswith("error: cannot "), err
    assert "the same command goes on" in lines[0]
    assert len(runs.read_records(out)) >= 16
    s3.finish(begin(out))
    s3.assert_same(expected, out)


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
    assert not s3.content(BUCKET / "bad")
