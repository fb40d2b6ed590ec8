"""The difference that is shown: middle gray where nothing changed, cut at the ends."""

import numpy as np
import pytest

from mspd_jax import pictures


@pytest.mark.parametrize(
    ("kind", "middle", "top"), [(np.uint8, 127, 255), (np.uint16, 32767, 65535)]
)
def test_ten_times_the_change_around_gray(kind, middle, top):
    before = np.full((1, 5, 1), 100, kind)
    after = before + np.array([0, 1, -8, 60, -100]).reshape(1, 5, 1)
    shown = pictures.enlarged_difference(before, after.astype(kind))
    assert shown.dtype == kind
    wanted = np.clip(middle + np.array([0, 10, -80, 600, -1000]), 0, top)
    np.testing.assert_array_equal(shown.ravel(), wanted)
