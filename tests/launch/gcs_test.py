"""A job on an emulator of Google Cloud Storage: the files of a local run."""

import hashlib
import json
import socket

import pytest

from mspd_jax import models, paths, runs
from mspd_jax.errors import StoreRefusedError
from tests.launch import mains

pytestmark = pytest.mark.slow
BUCKET = paths.as_path("gs://bucket")


@pytest.fixture(scope="module")
def server():
    reason = "needs gcsfs and gcp-storage-emulator"
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason=reason)
    pytest.importorskip("gcsfs", reason=reason)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = emulator.create_server("127.0.0.1", port, True, "bucket")
    running.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        # It would ask another service, which the emulator is not, about each bucket.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        yield
    running.stop()


def test_files_and_folders(server):
    file = BUCKET / "x" / "one[1]*.txt"
    runs.write_file(file, b"one")
    runs.write_file(BUCKET / "xy" / "two.txt", b"")
    assert paths.is_file(file) and paths.is_dir(file.parent)
    assert not paths.exists(BUCKET / "none")
    assert paths.children(BUCKET / "x") == {file: False}
    assert paths.children(BUCKET)[BUCKET / "x"]
    assert list(paths.files_below(BUCKET / "x")) == [file]
    before = paths.version(file)
    runs.write_file(file, b"two")
    assert paths.version(file) != before and paths.read_bytes(file) == b"two"
    assert paths.read_bytes(BUCKET / "xy" / "two.txt") == b""
    paths.remove([file, BUCKET / "none"])
    with pytest.raises(FileNotFoundError):
        paths.read_bytes(file)
    with pytest.raises(StoreRefusedError, match="there is no bucket 'unknown'"):
        runs.write_file("gs://unknown/x", b"")


def test_parts_become_one_run_by_copies_that_the_store_makes(server, tmp_path):
    for root in (tmp_path, BUCKET):
        parts = []
        for number in range(2):
            run = runs.open_run(root / "cell.shards" / str(number), {"job": "protect"})
            runs.write_file(run.path / "images" / f"{number} [1].png", bytes([number]))
            runs.append_records(run, [{"index": number}])
            runs.merge_records(run)
            runs.seal(run.path)
            parts.append(str(run.path))
        for _ in range(2):  # as after a kill
            runs.gather_run(parts, root / "cell", {"job": "protect"})
    out = BUCKET / "cell"
    files = [p for p in (tmp_path / "cell").rglob("*") if p.is_file()]
    assert len(files) == 4
    for file in files:
        name = file.relative_to(tmp_path / "cell").as_posix()
        assert paths.read_bytes(out / name) == file.read_bytes()
    before = json.loads(paths.read_text(out / "MANIFEST.json"))["files"]
    runs.seal(out)
    after = json.loads(paths.read_text(out / "MANIFEST.json"))["files"]
    image = "images/1 [1].png"
    assert after[image] == before[image], "it has been read again"
    assert after[image]["sha256"] == hashlib.sha256(bytes([1])).hexdigest()


def test_protect_writes_the_files_of_a_local_run(server, tmp_path):
    mains.save_small_model(tmp_path / "cnn")
    models.save_model(BUCKET / "cnn", models.load_model(tmp_path / "cnn"))
    flags = ("--source=digits:test", "--eps=0.1", "--samples=2", "--limit=6")
    for root in (tmp_path, BUCKET):
        places = (f"--surrogate={root}/cnn", f"--out={root}/out")
        code, _, err = mains.run("protect", *flags, *places, "--batch_size=2")
        assert code == 0, err
        lines = [line for line in err.splitlines() if "protect" not in line]
        assert not any(lines), "the client speaks"
    out = BUCKET / "out"
    files = mains.files(tmp_path / "out")
    assert {name: paths.read_bytes(out / name) for name in files} == files
    listed = json.loads(paths.read_text(out / "MANIFEST.json"))["files"]
    assert listed.keys() == {*files, "run.json", "summary.json"}
    assert paths.exists(out / "_SUCCESS")
