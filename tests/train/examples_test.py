"""Training sets of one source or several: what they hold, and what is refused."""

import numpy as np
import pytest

from mspd_jax import data, train
from mspd_jax.errors import InputError


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 4, 4, 1)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=pixels, y=np.arange(6) % 3)
    np.savez(tmp_path / "b.npz", x=pixels[:2] / np.float32(300), y=[2, 1])
    np.savez(tmp_path / "wide.npz", x=pixels[:, :, :2], y=np.zeros(6, int))
    np.savez(tmp_path / "photos.npz", x=pixels)
    return tmp_path


def test_several_sources_become_one_set(folder):
    named = f"npz:{folder}/a.npz,npz:{folder}/b.npz"
    sources = train.open_sources(named, limit=4)
    found = train.load_examples(sources)
    assert found.images.dtype == np.float32 and found.images.shape == (6, 4, 4, 1)
    np.testing.assert_array_equal(found.labels, [0, 1, 2, 0, 2, 1])
    np.testing.assert_array_equal(found.indices, np.arange(6))
    assert found.num_classes == 3
    first = np.load(folder / "a.npz")["x"][0]
    np.testing.assert_array_equal(found.images[0], first / np.float32(255))


def test_one_source_keeps_its_indices_and_levels():
    opened = data.open_source("digits:test", limit=5)
    (source,) = train.open_sources(opened, limit=3)
    found = train.load_examples([source])
    assert found.images.dtype == np.uint8 and found.num_classes == 10
    np.testing.assert_array_equal(found.indices, opened.indices[:3])


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("npz:{0}/a.npz,npz:{0}/wide.npz", "image_shape"),
        ("npz:{0}/photos.npz", "no labels to train on"),
        ("npz:{0}/missing.npz", "missing.npz"),
    ],
)
def test_refusals(folder, named, words):
    with pytest.raises(InputError, match=words):
        train.open_sources(named.format(folder))


def test_labels_are_needed_only_where_they_are_asked_for(folder):
    sources = train.open_sources(f"npz:{folder}/photos.npz", labeled=False)
    assert train.load_examples(sources, labeled=False).labels.tolist() == [-1] * 6
    with pytest.raises(InputError, match="has no label"):
        train.load_examples(sources)
