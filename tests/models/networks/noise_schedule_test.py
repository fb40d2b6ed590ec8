"""The noise schedules against their papers."""

import math

import numpy as np
import pytest

from mspd_jax.models.networks._noise_schedule import SCHEDULES


def test_linear_begins_and_ends_as_in_the_paper():
    left = SCHEDULES["linear"](1000)
    assert left.dtype == np.float64 and left.shape == (1000,)
    assert left[0] == pytest.approx(1 - 1e-4, rel=1e-12)
    assert left[1] / left[0] == pytest.approx(1 - 1e-4 - 0.0199 / 999, rel=1e-12)
    assert left[-1] / left[-2] == pytest.approx(0.98, rel=1e-12)
    # Ho et al. 2020, section 4: next to nothing of the image is left.
    assert left[-1] == pytest.approx(4.04e-5, rel=2e-3)


def test_cosine_follows_its_formula_up_to_the_last_beta():
    left = SCHEDULES["cosine"](4000)

    def formula(t):
        return math.cos(math.pi / 2 * (t / 4000 + 0.008) / 1.008) ** 2

    for t in (1, 10, 2000, 3990):
        assert left[t - 1] == pytest.approx(formula(t) / formula(0), rel=1e-9)
    # The last beta would be 1, and nothing of the image left.
    assert left[-1] / left[-2] == pytest.approx(1e-3, rel=1e-9)


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("timesteps", [200, 4000])
def test_as_much_noise_at_the_end_whatever_the_number_of_steps(name, timesteps):
    left = SCHEDULES[name](timesteps)
    assert len(left) == timesteps and (np.diff(left) < 0).all()
    assert 0 < left[-1] < 1e-4
    middle = SCHEDULES[name](1000)[499]
    assert left[timesteps // 2 - 1] == pytest.approx(middle, rel=0.05)
