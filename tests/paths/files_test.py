"""Files on the disk and in a store: one behavior, as far as a store can have it."""

import pathlib

import pytest

from mspd_jax import paths
from mspd_jax.errors import StoreError, StoreRefusedError
from mspd_jax.paths import _store
from mspd_jax.runs import write_file


@pytest.fixture(params=["disk", "store"])
def folder(request, tmp_path):
    """A folder with a file and a file in a folder, in either place."""
    if request.param == "store":
        request.getfixturevalue("bucket")
    root = paths.as_path("s3://b/x" if request.param == "store" else tmp_path / "x")
    write_file(root / "one[1]*.txt", b"one")
    write_file(root / "in" / "two.txt", b"two")
    return root


def test_what_is_there_and_what_is_not(folder):
    file, inside, none = folder / "one[1]*.txt", folder / "in", folder / "none"
    assert [paths.exists(p) for p in (file, inside, none)] == [True, True, False]
    assert [paths.is_file(p) for p in (file, inside, none)] == [True, False, False]
    assert [paths.is_dir(p) for p in (file, inside, none)] == [False, True, False]
    assert paths.children(folder) == {inside: True, file: False}


def test_reading_and_removing(folder):
    file = folder / "one[1]*.txt"
    assert paths.read_bytes(file) == b"one" and paths.read_text(file) == "one"
    with paths.opened(file) as stream:
        assert stream.read() == b"one"
    before = paths.version(file)
    write_file(file, b"another")
    assert paths.version(file) != before and paths.version(file)[0] == 7
    paths.remove([file, folder / "none"])
    assert not paths.exists(file) and paths.exists(folder / "in" / "two.txt")
    with pytest.raises(FileNotFoundError):
        paths.read_bytes(file)


def test_each_keeps_the_order(folder):
    names = [folder / "in" / "two.txt", folder / "one[1]*.txt"] * 20
    assert list(paths.each(paths.read_text, names)) == ["two", "one"] * 20


def test_a_store_that_does_not_say_is_no_store_without(bucket):
    write_file("s3://b/x", b"x")
    path = paths.as_path("s3://b/x")
    asks = (paths.exists, paths.is_file, paths.is_dir, paths.children, paths.read_bytes)
    for error, kind in (
        (TimeoutError("too late"), StoreError),
        (OSError(121, "Internal Server Error"), StoreError),
        (PermissionError("Forbidden"), StoreRefusedError),
        (ImportError("No module named 's3fs'"), StoreRefusedError),
    ):

        def fail(what, path, error=error):
            raise error

        bucket.fails = staticmethod(fail)
        for ask in asks:
            with pytest.raises(kind, match="s3://b/x") as found:
                ask(path)
            assert "\n" not in str(found.value)
            assert not isinstance(found.value, OSError | ValueError)


def test_a_bucket_that_is_not_there_is_named(bucket):
    def fail(what, path):
        raise FileNotFoundError("The specified bucket does not exist")

    bucket.fails = staticmethod(fail)
    with pytest.raises(StoreRefusedError, match="there is no bucket 'b'"):
        write_file("s3://b/x/y", b"")


def test_the_listing_of_a_folder_knows_no_neighbors(bucket):
    write_file("s3://b/x/a.txt", b"")
    write_file("s3://b/xy/b.txt", b"")
    root = paths.as_path("s3://b/x")
    assert list(paths.files_below(root)) == [root / "a.txt"]
    assert not paths.files_below(root / "a.txt")
    assert paths.children(root / "none") == {} and not paths.files_below(root / "none")


def test_local_paths_are_left_to_pathlib(tmp_path):
    assert isinstance(paths.resolved(tmp_path / ".."), pathlib.Path)
    assert paths.resolved(tmp_path / "..") == tmp_path.parent


def test_a_copy_is_known_by_its_content():
    s3 = {"ETag": '"ab"', "LastModified": "today"}
    google = {"etag": "CKih16H=", "md5Hash": "ab==", "updated": "today"}
    composed = {"etag": "CKih16H=", "updated": "today"}  # has no hash
    found = [_store.version_of(info) for info in (s3, google, composed)]
    assert found == ["ab", "ab==", "CKih16H="]


def test_an_object_is_copied_within_its_store(bucket):
    one, two = (paths.as_path(f"s3://b/{name} [*].png") for name in "xy")
    paths.write_object(one, b"1")
    bucket.requests.clear()
    paths.copy_object(one, two)
    assert paths.read_bytes(two) == b"1"
    assert [what for what, _ in bucket.requests] == ["copy", "get"]
    assert paths.version(one) == paths.version(two)
    with pytest.raises(FileNotFoundError):
        paths.copy_object(paths.as_path("s3://b/none"), two)
