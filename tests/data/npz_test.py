"""Archives of arrays: what is taken, what is refused and in which words."""

import pickle

import numpy as np
import pytest

from mspd_jax.data import load_arrays, open_source
from mspd_jax.errors import InputError

BYTES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)


def save(tmp_path, **arrays):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    return f"npz:{path}"


def test_bytes_and_labels(tmp_path):
    labels = np.array([2, 0, 1, 2, 0, 7], np.uint8)
    source = open_source(save(tmp_path, x=BYTES, y=labels))
    assert source.image_shape == (4, 5, 3) and source.num_classes is None
    assert source.max_label == 7 and source.labelled
    record = source.read(5)
    assert (record.index, record.label, record.name) == (5, 7, "00005_7.png")
    np.testing.assert_allclose(record.image, BYTES[5] / 255, atol=1e-7)
    images, got = load_arrays(source)
    assert images.dtype == np.uint8 and got.dtype == np.int32
    np.testing.assert_array_equal(images, BYTES)
    np.testing.assert_array_equal(got, labels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_kept_as_they_are(tmp_path, dtype):
    values = np.random.default_rng(0).random((6, 4, 5)).astype(dtype)
    source = open_source(save(tmp_path, x=values))
    assert source.image_shape == (4, 5, 1) and not source.labelled
    assert source.max_label == -1
    record = source.read(2)
    assert record.label == -1 and record.name == "00002.png"
    np.testing.assert_array_equal(record.image[..., 0], values[2].astype(np.float32))
    images, labels = load_arrays(source)
    assert images.dtype == np.float32 and (labels == -1).all()
    np.testing.assert_array_equal(images[..., 0], values.astype(np.float32))


FLOATS = BYTES / 255


@pytest.mark.parametrize(
    "arrays, message",
    [
        (dict(x=FLOATS * 255), "ranges from 0 to 255"),
        (dict(x=FLOATS * 2 - 1), "ranges from -1 to 1"),
        (dict(x=np.where(FLOATS > 0.9, np.nan, FLOATS)), "ranges from nan to nan"),
        (dict(x=BYTES.astype(np.int64)), "type int64"),
        (dict(x=BYTES > 3), "type bool"),
        (dict(x=BYTES.transpose(0, 3, 1, 2)), r"shape \(6, 3, 4, 5\).*channels last"),
        (dict(x=BYTES[:0]), "n >= 1"),
        (dict(x=BYTES[0, 0]), "shape"),
        (dict(images=BYTES), r"no array x \(images\); it holds \['images'\]"),
        (dict(x=BYTES, y=np.zeros(5, int)), "for each of the 6 images"),
        (dict(x=BYTES, y=np.zeros((6, 10), int)), "for each of the 6 images"),
        (dict(x=BYTES, y=np.zeros(6)), "type float64"),
        (dict(x=BYTES, y=np.full(6, -2)), "ranges from -2"),
    ],
)
def test_what_cannot_be_images_is_refused_in_one_line(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message) as caught:
        open_source(save(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no file .*absent\.npz"):
        open_source(f"npz:{tmp_path / 'absent.npz'}")
    spec = save(tmp_path, x=BYTES)
    path = tmp_path / "a.npz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="not a readable .npz archive"):
        open_source(spec)
    path.write_bytes(b"PK\x03\x04 and nothing of worth")
    with pytest.raises(InputError, match="not a readable .npz archive"):
        open_source(spec)
    np.save(tmp_path / "b.npy", BYTES)
    with pytest.raises(InputError, match="one bare array"):
        open_source(f"npz:{tmp_path / 'b.npy'}")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was executed",))


def test_no_code_of_the_file_is_executed(tmp_path):
    spec = save(tmp_path, x=np.array([Bomb()], object))
    with pytest.raises(InputError, match="not a readable .npz archive"):
        open_source(spec)
    (tmp_path / "a.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="not a readable .npz archive"):
        open_source(spec)
