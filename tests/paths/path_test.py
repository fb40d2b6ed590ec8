"""What a text means as a path."""

import pathlib

import pytest

from mspd_jax import paths
from mspd_jax.errors import InputError


def test_a_path_of_the_disk_is_one_of_pathlib():
    for text in ("a/b", "/a/b", ".", "a:b", pathlib.Path("c")):
        assert paths.as_path(text) == pathlib.Path(text)
        assert type(paths.as_path(text)) is type(pathlib.Path())
        assert not paths.is_store(paths.as_path(text))


@pytest.mark.parametrize("text", ["s3://bucket/run", "gs://bucket/run"])
def test_a_path_in_a_store_keeps_its_slashes(text):
    path = paths.as_path(text)
    assert paths.is_store(path)
    assert str(path / "a" / "b.png") == f"{text}/a/b.png"
    assert paths.as_path(path) == path
    assert str((path / "x").parent) == text
    assert str(paths.resolved(path / ".." / "x")) == text.replace("run", "x")
    assert str(paths.resolved(path / "../../../x")) == text.replace("run", "x")


def test_another_scheme_is_refused():
    with pytest.raises(InputError, match="ftp:// is no store that is known"):
        paths.as_path("ftp://host/x")
