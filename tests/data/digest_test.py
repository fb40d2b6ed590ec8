"""Hashes change with what they are of, and with nothing else."""

import os

import numpy as np
import pytest

from mspd_jax.data import _digest


def test_a_digest_knows_where_its_parts_end():
    known = _digest.digest("ab", "c", 3)
    assert known == _digest.digest("ab", "c", 3) and len(known) == 16
    others = [("a", "bc", 3), ("ab", "c"), ("c", "ab", 3), ("ab", "c", 3, None)]
    assert known not in {_digest.digest(*parts) for parts in others}


def test_an_array_is_known_by_type_shape_and_rows():
    array = np.arange(600 * 4, dtype=np.int32).reshape(600, 4)
    known = _digest.array_digest(array, range(600))
    assert _digest.array_digest(np.asfortranarray(array), range(600)) == known
    assert _digest.array_digest(array[::-1], range(599, -1, -1)) == known
    changed = array.copy()
    changed[599, 3] += 1
    others = [
        _digest.array_digest(changed, range(600)),
        _digest.array_digest(array.reshape(600, 2, 2), range(600)),
        _digest.array_digest(array.astype(np.uint32), range(600)),
        _digest.array_digest(array, range(599)),
    ]
    assert known not in others and len(set(others)) == 4


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"one" + path.name.encode())
        os.utime(path, ns=(1, 1))
    return paths


def test_small_files_are_known_by_their_content(files):
    known = _digest.file_prints(files)
    for path in files:
        os.utime(path, ns=(2, 2))
    assert _digest.file_prints(files) == known
    files[1].write_bytes(b"twob")
    os.utime(files[1], ns=(2, 2))
    now = _digest.file_prints(files)
    assert now[0] == known[0] and now[1] != known[1]


def test_many_large_files_are_known_by_size_and_time(files, monkeypatch):
    monkeypatch.setattr(_digest, "AFFORDABLE", 7)
    known = _digest.file_prints(files)
    monkeypatch.setattr(_digest, "file_digest", pytest.fail)
    assert _digest.file_prints(files) == known
    os.utime(files[0], ns=(2, 2))
    files[1].write_bytes(b"longer")
    os.utime(files[1], ns=(1, 1))
    assert not set(_digest.file_prints(files)) & set(known)


def test_a_missing_file_has_no_print(files):
    files[0].unlink()
    assert _digest.file_prints(files)[0] is None
    assert _digest.file_digest(files[0]) is None
    assert _digest.file_digest(files[1]) == _digest.file_prints(files)[1]
