"""The fingerprint of arrays, and a source that does not know its data."""

import numpy as np
import pytest

from mspd_jax.data import Source, from_arrays, open_source
from mspd_jax.data._record import array_source, as_float, output_name

BYTES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)
LABELS = np.arange(6)


def changed_pixel():
    images = BYTES.copy()
    images[5, 3, 4, 2] ^= 1
    return from_arrays(images, LABELS)


def changed_label():
    return from_arrays(BYTES, np.array([0, 1, 2, 3, 4, 0]))


def fewer():
    return from_arrays(BYTES[:5], LABELS[:5])


def another_order():
    return from_arrays(BYTES[::-1], LABELS[::-1])


def floats():
    return from_arrays(BYTES / np.float32(255), LABELS)


def other_indices():
    labels = LABELS.astype(np.int32)
    return array_source("arrays", BYTES, labels, LABELS + 1, num_classes=None)


def known_classes():
    return from_arrays(BYTES, LABELS)._replace(class_names=tuple("abcdef"))


def known_number():
    return from_arrays(BYTES, LABELS)._replace(num_classes=6)


OTHERS = [
    changed_pixel,
    changed_label,
    fewer,
    another_order,
    floats,
    other_indices,
    known_classes,
    known_number,
]


@pytest.mark.parametrize("make", OTHERS)
def test_the_fingerprint_changes_with_the_data(make):
    source = from_arrays(BYTES, LABELS)
    assert from_arrays(BYTES.copy(), LABELS.copy()).fingerprint == source.fingerprint
    assert make().fingerprint != source.fingerprint


def test_the_digest_of_an_image_changes_with_it_alone():
    source = from_arrays(BYTES, LABELS)
    for other in (changed_pixel(), changed_label()):
        same = [source.digest_of(i) == other.digest_of(i) for i in range(6)]
        assert same == [True] * 5 + [False]
    assert len({source.digest_of(i) for i in range(6)}) == 6


def test_an_archive_is_known_by_its_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", x=BYTES, y=LABELS)
    np.savez_compressed(tmp_path / "b.npz", y=LABELS, x=BYTES)
    one, two = (open_source(f"npz:{tmp_path / n}") for n in ("a.npz", "b.npz"))
    assert one.fingerprint == two.fingerprint == from_arrays(BYTES, LABELS).fingerprint
    few = open_source(f"npz:{tmp_path / 'a.npz'}", limit=5)
    assert few.fingerprint == fewer().fingerprint


def test_a_source_made_by_hand_need_not_know_its_data():
    source = Source("a:b", np.arange(3), None, None, -1, None, False, pytest.fail)
    assert source.fingerprint == "" and source.digest_of(0) is None


def test_names_and_levels():
    assert output_name(42, 7) == "00042_7.png" and output_name(42, -1) == "00042.png"
    levels = as_float(np.array([0, 51, 255], np.uint8))
    assert levels.dtype == np.float32
    np.testing.assert_allclose(levels, [0, 0.2, 1], atol=1e-7)
