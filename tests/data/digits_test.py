"""The embedded digits against published facts about them."""

import numpy as np
import pytest

from mspd_jax.data import check_compatible, load_arrays, open_source
from mspd_jax.errors import InputError


def test_split_is_a_partition_of_the_published_1797():
    train, test = open_source("digits:train"), open_source("digits:test")
    both = np.sort(np.concatenate([train.indices, test.indices]))
    np.testing.assert_array_equal(both, np.arange(1797))
    assert len(test.indices) == 450
    labels = [load_arrays(source)[1] for source in (train, test)]
    # Class counts of the published test file (UCI, optdigits.names).
    counts = np.bincount(np.concatenate(labels))
    np.testing.assert_array_equal(
        counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    )
    assert np.bincount(labels[1]).min() >= 38


def test_first_image_is_the_published_one():
    # First row of the published file: 0,0,5,13,9,1,0,0 of 16, and the digit is 0.
    record = open_source("digits:test").read(0)
    assert (record.index, record.label, record.name) == (0, 0, "00000_0.png")
    assert record.image.shape == (8, 8, 1) and record.image.dtype == np.float32
    np.testing.assert_allclose(
        record.image[0, :, 0] * 16, [0, 0, 5, 13, 9, 1, 0, 0], atol=0.04
    )
    levels = record.image * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)


def test_the_facts_that_a_source_states():
    source = open_source("digits:train")
    assert source.spec == "digits:train"
    assert source.image_shape == (8, 8, 1)
    assert source.num_classes == 10 and source.max_label == 9 and source.labelled
    assert source.class_names == tuple("0123456789")
    assert source.indices.dtype == np.int64
    check_compatible(source, image_shape=(8, 8, 1), num_classes=10)


def test_unknown_split_lists_the_splits():
    with pytest.raises(InputError, match="train and test"):
        open_source("digits:valid")
