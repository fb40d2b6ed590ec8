"""Files are written whole or not at all."""

import os

import pytest

from mspd_jax.runs import whole_file, write_file


def test_a_write_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.bin"
    write_file(path, b"old")

    def fail(source, target):
        raise OSError("killed here")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="killed"):
        write_file(path, b"new and longer")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    write_file(path, b"new")
    # The second run took over what the first had left behind.
    assert sorted(os.listdir(tmp_path)) == ["x.bin"]
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("through", [False, True])
def test_a_file_goes_through_to_the_disk_where_that_is_asked(
    tmp_path, monkeypatch, through
):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda file: seen.append(os.fstat(file).st_size))
    with whole_file(tmp_path / "in" / "x.bin", through=through) as name:
        with open(name, "wb") as file:
            file.write(b"four")
    assert seen == [4] * through
    assert os.listdir(tmp_path / "in") == ["x.bin"]
