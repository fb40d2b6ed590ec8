"""The same image gives the same protected file: batches, devices, processes, kills."""

import json
import signal
import time

import numpy as np
import pytest
from PIL import Image

from tests.launch import mains

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "cnn"
    mains.save_small_model(path)
    return path


def _flags(model, out, *, batch_size, limit, samples=20):
    return (
        "--source=digits:test",
        f"--surrogate={model}",
        "--eps=0.1",
        f"--out={out}",
        f"--batch_size={batch_size}",
        f"--limit={limit}",
        f"--samples={samples}",
    )


def _protect(model, out, *, devices=1, **options):
    code, _, err = mains.run("protect", *_flags(model, out, **options), devices=devices)
    assert code == 0, err
    return mains.files(out)


@pytest.fixture(scope="module")
def expected(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("expected") / "out"
    return _protect(model, out, batch_size=8, limit=100)


def test_alone_in_a_padded_batch(model, expected, tmp_path):
    alone = _protect(model, tmp_path / "out", batch_size=8, limit=1)
    assert len(alone) == 2
    image = next(name for name in alone if name.startswith("images"))
    assert alone[image] == expected[image]


def test_eight_devices(model, expected, tmp_path):
    found = _protect(model, tmp_path / "out", batch_size=8, limit=100, devices=8)
    assert found == expected


def test_two_processes_of_four_devices(model, expected, tmp_path):
    out = tmp_path / "out"
    flags = _flags(model, out, batch_size=8, limit=100)
    pair = [("protect", [*flags, *own]) for own in mains.cluster(2)]
    with mains.together(pair, devices=4) as begun:
        for code, _, err in begun.finish():
            assert code == 0, err
    assert mains.files(out) == expected
    assert not list(out.glob("records-*"))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_other_batch_sizes(model, expected, tmp_path, batch_size):
    found = _protect(model, tmp_path / "out", batch_size=batch_size, limit=100)
    assert found.keys() == expected.keys()
    images = sorted(name for name in found if name.startswith("images"))
    one = np.stack([_pixels(tmp_path / "out" / name) for name in images])
    other = np.stack([_decoded(expected[name], tmp_path) for name in images])
    difference = np.abs(one - other)
    assert (difference > 0).mean() <= 1e-3
    assert difference.max() <= 1


def _pixels(path):
    return np.asarray(Image.open(path), np.int32)


def _decoded(content, folder):
    (folder / "one.png").write_bytes(content)
    return _pixels(folder / "one.png")


def test_killed_three_times(model, tmp_path):
    options = {"batch_size": 4, "limit": 450, "samples": 200}
    whole = _protect(model, tmp_path / "whole", **options)
    out = tmp_path / "killed"
    records = out / "records.jsonl"
    rng = np.random.default_rng(0)
    finished = {}
    for part in range(3):
        process = mains.start("protect", *_flags(model, out, **options))
        wanted = 100 * part + rng.integers(10, 100)
        while not records.exists() or records.read_text().count("\n") < wanted:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))  # anywhere within a batch
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _assert_untouched(finished)
        # Every file is replaced as a whole: a file written again is another inode.
        for name in _finished_files(records):
            finished[out / name] = (out / name).stat().st_ino
        assert 0 < len(finished) < 450
    assert _protect(model, out, **options) == whole
    _assert_untouched(finished)


def _finished_files(records):
    lines = records.read_text().split("\n")[:-1]
    return [json.loads(line)["file"] for line in lines]


def _assert_untouched(finished):
    for path, inode in finished.items():
        assert path.stat().st_ino == inode, f"{path} was computed again"
