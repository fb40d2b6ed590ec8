"""Random weights of networks."""

import jax
import numpy as np

from mspd_jax import models
from tests.models.small_models import spec


def test_random_kernels_have_the_he_scale():
    """Standard deviation of 36,864 draws: within 2 % (5 sigma is 1.9 %)."""
    params = models.create_model(jax.random.key(2), spec("resnet20", 3)).variables
    kernel = params["params"]["stage2_block1"]["second"]["conv"]["kernel"]
    np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (9 * 64)), rtol=0.02)
    assert not params["params"]["head"]["bias"].any()
