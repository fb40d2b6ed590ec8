"""The Wilson interval against SciPy, at its ends, and by its coverage."""

import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.evaluate import wilson_interval


class WilsonTest(parameterized.TestCase):
    @parameterized.product(
        n=(1, 7, 100, 10_000),
        share=(0, 0.01, 0.3, 0.5, 1),
        confidence=(0.8, 0.95, 0.999),
    )
    def test_equals_scipy(self, n, share, confidence):
        successes = round(n * share)
        got = wilson_interval(successes, n, confidence=confidence)
        want = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
        np.testing.assert_allclose(got, (want.low, want.high), rtol=1e-12, atol=1e-15)

    def test_arrays_broadcast_in_float64(self):
        low, high = wilson_interval(np.array([0, 5, 10]), 10)
        self.assertEqual((low.shape, low.dtype), ((3,), np.float64))
        self.assertEqual((low[0], high[2]), (0.0, 1.0))

    def test_no_trials_say_nothing(self):
        self.assertEqual(wilson_interval(0, 0), (0.0, 1.0))

    def test_coverage_is_near_the_confidence(self):
        # Exact, by enumeration of all outcomes of 50 trials at p = 0.3.
        counts = np.arange(51)
        low, high = wilson_interval(counts, 50)
        inside = (low <= 0.3) & (0.3 <= high)
        covered = np.sum(stats.binom.pmf(counts, 50, 0.3)[inside])
        self.assertBetween(covered, 0.93, 0.97)

    @parameterized.parameters((3, 2, 0.95), (-1, 2, 0.95), (1, 2, 0.0), (1, 2, 1.0))
    def test_impossible_arguments(self, successes, n, confidence):
        with self.assertRaises(ValueError):
            wilson_interval(successes, n, confidence=confidence)
