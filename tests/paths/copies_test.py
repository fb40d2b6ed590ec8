"""Copies of folders between the disk and a store: whole, or known not to be."""

import pytest

from mspd_jax import paths
from mspd_jax.errors import InputError

WHERE = paths.as_path("s3://b/copy")


def made(folder, **files):
    for name, text in files.items():
        folder.mkdir(exist_ok=True)
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / name).write_text(text)
    (folder / paths.SUMS).write_text(paths.sums_of(folder))
    return folder


def test_what_is_sent_comes_back(bucket, tmp_path):
    sent = made(tmp_path / "sent", a="1", b="2")
    paths.send_folder(sent, WHERE)
    with paths.local_copy(WHERE) as copy:
        found = {p.name: p.read_text() for p in copy.rglob("*") if p.is_file()}
        assert paths.changed_file(copy, found[paths.SUMS]) is None
        (copy / "in" / "b").write_text("3")
        changed = paths.changed_file(copy, found[paths.SUMS])
        assert changed == ("in/b", "is not the file that was saved")
        (copy / "in" / "a").unlink()
        changed = paths.changed_file(copy, found[paths.SUMS])
        assert changed == ("in/a", "cannot be read")
    assert found == {p.name: p.read_text() for p in sent.rglob("*") if p.is_file()}
    assert not copy.exists() and not paths.was_begun(WHERE)
    with paths.local_copy(sent) as same:
        assert same == sent
    assert same.exists()


def test_a_file_that_is_sent_comes_back(bucket, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    paths.send_file(tmp_path / "a", WHERE / "b")
    with paths.local_file(WHERE / "b") as copy:
        assert copy.name == "b" and copy.read_bytes() == b"1"


@pytest.mark.parametrize("requests", range(6))
def test_a_killed_upload_is_none_and_may_begin_again(bucket, tmp_path, requests):
    paths.send_folder(made(tmp_path / "old", a="1", old="2"), WHERE)
    new = made(tmp_path / "new", a="3", b="4")
    left = [requests]

    def die(what, path):
        if what in ("put", "delete") and not left[0]:
            raise KeyboardInterrupt
        left[0] -= what in ("put", "delete")

    bucket.fails = staticmethod(die)
    with pytest.raises(KeyboardInterrupt):
        paths.send_folder(new, WHERE)
    bucket.fails = None
    if requests:  # else nothing has been touched
        assert paths.was_begun(WHERE)
    if requests > 1:
        assert not paths.exists(WHERE / paths.SUMS)
    paths.send_folder(new, WHERE)
    with paths.local_copy(WHERE) as copy:
        names = {p.name for p in copy.rglob("*") if p.is_file()}
        assert names == {"a", "b", paths.SUMS}
        assert paths.changed_file(copy, (copy / paths.SUMS).read_text()) is None


def test_a_copy_keeps_the_time_of_change(bucket, tmp_path):
    paths.send_folder(made(tmp_path / "sent", a="1"), WHERE)
    times = []
    for name in ("one", "two"):
        paths.fetch(WHERE, tmp_path / name, ["in/a"])
        assert not (tmp_path / name / paths.SUMS).exists()
        times.append((tmp_path / name / "in" / "a").stat().st_mtime_ns)
    assert times[0] == times[1]


def test_a_file_is_at_hand_under_its_name(bucket, tmp_path):
    paths.write_object(WHERE / "net.onnx", b"network")
    with paths.local_file(WHERE / "net.onnx") as file:
        assert file.name == "net.onnx" and file.read_bytes() == b"network"
    assert not file.exists()
    with pytest.raises(InputError, match="no file s3://b/copy/none.onnx"):
        with paths.local_file(WHERE / "none.onnx"):
            pass
    with paths.local_file(tmp_path) as same:
        assert same == tmp_path
