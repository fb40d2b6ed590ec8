"""The noise of smoothing: standard normal, by number, apart by stage."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.smoothing._noise import ESTIMATION, SELECTION, noise_at

SHAPE = (2, 3, 1)
KEY = jax.random.key(7)


class NoiseTest(parameterized.TestCase):
    def test_is_standard_normal(self):
        # Kolmogorov-Smirnov on 60,000 numbers, false alarm 1e-4.
        noise = np.asarray(noise_at(KEY, jnp.arange(10_000), SHAPE))
        self.assertGreater(stats.kstest(noise.ravel(), "norm").pvalue, 1e-4)
        # 36 correlations of neighboring samples, 5 standard errors: 2e-5.
        rows = noise.reshape(10_000, 6)
        between = rows[1:].T @ rows[:-1] / 9_999
        within = rows.T @ rows / 10_000 - np.eye(6)
        self.assertLess(np.abs(between).max(), 5e-2)
        self.assertLess(np.abs(within).max(), 7.1e-2)

    def test_is_addressed_by_number(self):
        some = noise_at(KEY, jnp.array([5, 2]), SHAPE)
        np.testing.assert_array_equal(some, noise_at(KEY, jnp.arange(6), SHAPE)[5:1:-3])

    def test_stages_are_independent(self):
        self.assertNotEqual(SELECTION, ESTIMATION)
        rows = [
            noise_at(jax.random.fold_in(KEY, stage), jnp.arange(10_000), (1, 1, 1))
            for stage in (SELECTION, ESTIMATION)
        ]
        # 5 standard errors of a correlation: 6e-7.
        self.assertLess(abs(np.mean(rows[0] * rows[1])), 0.05)
