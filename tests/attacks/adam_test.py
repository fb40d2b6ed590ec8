"""Adam against the algorithm of the paper in float64, and against plain optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized

from mspd_jax.attacks._adam import adam, no_moments

GRADIENTS = np.random.default_rng(2).normal(size=(6, 3))


def steps():
    moments, found = no_moments(jnp.zeros(3)), []
    for gradient in GRADIENTS:
        step, moments = adam(moments, jnp.asarray(gradient, jnp.float32))
        found.append(step)
    return np.stack(found)


class AdamTest(parameterized.TestCase):
    def test_algorithm_1_of_the_paper(self):
        m, v, want = np.zeros(3), np.zeros(3), []
        for t, g in enumerate(GRADIENTS, start=1):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            want.append(m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8))
        np.testing.assert_allclose(steps(), want, rtol=1e-3)

    def test_optax(self):
        rule = optax.scale_by_adam()
        state, want = rule.init(jnp.zeros(3)), []
        for gradient in GRADIENTS:
            # It mixes types, which the settings of the tests refuse.
            with jax.numpy_dtype_promotion("standard"):
                step, state = rule.update(jnp.asarray(gradient, jnp.float32), state)
            want.append(step)
        np.testing.assert_allclose(steps(), np.stack(want), rtol=1e-4)
