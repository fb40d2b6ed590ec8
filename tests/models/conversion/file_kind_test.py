"""What a file is, by its bytes: weights, or one of the things people have instead."""

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save

from mspd_jax.errors import InputError
from mspd_jax.models.conversion._file_kind import file_kind

TENSORS = save({"weight": np.zeros(100, np.float32)})


def _zip(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"content of some length" * 9)
    return stream.getvalue()


def _tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pt"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TENSORS, "safetensors"),
        (_zip("net/data.pkl", "net/data/0"), "torch"),
        (pickle.dumps({}, protocol=2), "torch"),
    ],
)
def test_weights(tmp_path, content, kind):
    path = tmp_path / "file.bin"  # the name says nothing
    path.write_bytes(content)
    assert file_kind(path) == kind


@pytest.mark.parametrize("first", [0x80, 0x1F, ord("P"), ord("{"), ord("<"), 0xFD])
def test_weights_whose_header_is_as_long_as_another_kind_begins(tmp_path, first):
    length = 512 + first
    header = b'{"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    path = tmp_path / "weights"
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + bytes(4))
    assert path.read_bytes()[0] == first
    assert file_kind(path) == "safetensors"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:12",
            "Git LFS pointer",
        ),
        (b"\n <!DOCTYPE html><html>Sign in", "a web page"),
        (b'{"error": "not found"}', "a JSON text"),
        (gzip.compress(TENSORS, mtime=0), "a gzip archive: unpack it"),
        (_tar(), "a tar archive: unpack it"),
        (_zip("weights.pt", "README"), "a zip archive of something else"),
        (_zip("weight.npy"), "a NumPy archive"),
        (_zip("net/data.pkl")[:-30], "cut off"),
        (TENSORS[:-4], "cut off"),
        (TENSORS[:40], "no readable safetensors"),
        (b"", "is empty"),
        (b"\x00" * 999, "of no known kind"),
    ],
    ids=[f"other{n}" for n in range(12)],
)
def test_anything_else_is_named(tmp_path, content, expected):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        file_kind(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="no file"):
        file_kind(tmp_path)
