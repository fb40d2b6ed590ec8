"""What pictures go through after their release, read from words."""

import numpy as np
import pytest

from mspd_jax import preempt
from mspd_jax.errors import InputError
from mspd_jax.jobs._survive import jpeg_copy, sights_of


def test_nothing_is_asked_of_pictures_by_default():
    assert sights_of(None) == sights_of(()) == preempt.Sights()


def test_ranges_widen_what_is_expected():
    sights = sights_of(("jpeg:75-95", "resize:0.5-1", "crop:0.7-1"))
    assert sights.rescale == 0.5 and sights.crop == 0.7
    assert len(sights.distortions) == 3


def test_a_screenshot_is_all_three():
    sights = sights_of(("screenshot",))
    assert sights.rescale == 0.5 and sights.crop == 0.8  # the wider one stays
    assert len(sights.distortions) == 3


@pytest.mark.parametrize(
    "word",
    ["", "jpeg", "jpeg:95-75", "jpeg:0-50", "jpeg:75-101", "resize:0.5-0.8", "x:1-2"],
)
def test_other_words_are_refused(word):
    with pytest.raises(InputError, match="accepted are jpeg:75-95"):
        sights_of((word,))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_copy_loses_more_at_a_lower_quality(channels):
    image = np.random.default_rng(0).uniform(size=(24, 40, channels)).astype(np.float32)
    errors = [np.abs(jpeg_copy(q)(image) - image).mean() for q in (30, 95)]
    assert errors[0] > errors[1] > 0
    assert jpeg_copy(95)(image).shape == image.shape
