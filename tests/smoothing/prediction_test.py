"""Predictions against SciPy's test, exact enumeration and known probabilities."""

import math

import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.smoothing import ABSTAIN, predict_votes


class PredictVotesTest(parameterized.TestCase):
    @parameterized.parameters((7, 3), (100, 60), (500, 500), (30, 0), (1_000, 900))
    def test_is_the_binomial_test(self, first, second):
        votes = [second, first, min(second, 1)]
        got = predict_votes(votes, num_samples=sum(votes), alpha=0.001)
        want = stats.binomtest(first, first + second, 0.5).pvalue
        np.testing.assert_allclose(got.p_value, want, rtol=1e-9)
        self.assertEqual(got.label, 1 if want <= 0.001 else ABSTAIN)

    def test_p_value_is_not_below_the_exact_one(self):
        n = 24
        for first in range(n // 2, n + 1):
            got = predict_votes([first, n - first], num_samples=n, alpha=0.001)
            tail = sum(math.comb(n, j) for j in range(first, n + 1))
            self.assertGreaterEqual(got.p_value, min(1.0, 2 * tail / 2**n))

    def test_abstains_above_alpha_only(self):
        # Ten of ten: p = 2 / 1024.
        votes = [[10, 0]]
        for alpha, label in ((0.00196, 0), (0.00195, ABSTAIN)):
            got = predict_votes(votes, num_samples=10, alpha=alpha)
            self.assertEqual(got.label.tolist(), [label])

    def test_samples_for_no_class_are_an_answer(self):
        # Nine hundred predictions were broken: the class that is left is not the mode.
        got = predict_votes([100, 0], num_samples=1_000, alpha=0.001)
        self.assertEqual(got.label, ABSTAIN)
        got = predict_votes([500, 0], num_samples=1_000, alpha=0.001)
        self.assertEqual((got.label, got.p_value), (ABSTAIN, 1.0))
        got = predict_votes([600, 0], num_samples=1_000, alpha=0.001)
        want = stats.binomtest(600, 1_000, 0.5).pvalue
        np.testing.assert_allclose(got.p_value, want, rtol=1e-9)

    def test_wrong_at_most_with_probability_alpha(self):
        # All counts of 60 samples over three classes, the second the most likely by a
        # little: the probability of naming another is summed, not sampled.
        n, p = 60, (0.33, 0.34, 0.33)
        counts = np.array(
            [(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)]
        )
        chance = stats.multinomial.pmf(counts, n, p)
        for alpha in (0.2, 0.05):
            label = predict_votes(counts, num_samples=n, alpha=alpha).label
            wrong = chance[(label != ABSTAIN) & (label != 1)].sum()
            self.assertLessEqual(wrong, alpha)
            self.assertGreater(wrong, alpha / 20)  # it does happen

    @parameterized.parameters(
        ({"votes": [5, -1]}, "votes must not be negative"),
        ({"votes": [11, 0]}, "votes must be votes of at most num_samples = 10"),
        ({"alpha": 0.0}, "alpha must be between"),
        ({"num_samples": 0}, "num_samples must be an integer"),
    )
    def test_bad_arguments(self, options, message):
        options = {"votes": [5, 5], "num_samples": 10, "alpha": 0.1} | options
        with self.assertRaisesRegex(ValueError, message):
            predict_votes(options.pop("votes"), **options)
