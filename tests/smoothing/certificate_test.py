"""Bounds and radii against SciPy, closed forms and exact arithmetic."""

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.smoothing import (
    ABSTAIN,
    any_wrong,
    certify_votes,
    predict_votes,
    wrong_certificates,
)
from mspd_jax.smoothing._certificate import lower_bound, radius_needs


def exact_tail(p, v, n):
    """P(Bin(n, p) >= v) of a float p, as a fraction: no rounding anywhere."""
    p = Fraction(p)
    a, b = p.numerator, p.denominator
    terms = (math.comb(n, j) * a**j * (b - a) ** (n - j) for j in range(v, n + 1))
    return Fraction(sum(terms), b**n)


def precise_tail(p, v, n):
    """P(Bin(n, p) >= v) with 60 digits."""
    with decimal.localcontext(prec=60):
        p = Decimal(float(p))
        term = Decimal(math.comb(n, v)) * p**v * (1 - p) ** (n - v)
        total = Decimal(0)
        for j in range(v, n + 1):
            total += term
            term *= p / (1 - p) * (n - j) / (j + 1)
        return total


def precise_phi(z):
    """Phi(z) with 60 digits: 1/2 + phi(z) (z + z^3 / 3 + z^5 / 15 + ...)."""
    with decimal.localcontext(prec=60):
        pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
        z = Decimal(float(z))
        term = total = z
        k = 1
        while abs(term) > Decimal(10) ** -55:
            k += 2
            term *= z * z / k
            total += term
        return total * (-z * z / 2).exp() / (2 * pi).sqrt() + Decimal("0.5")


class LowerBoundTest(parameterized.TestCase):
    @parameterized.product(n=(1, 7, 100, 10_000, 100_000), alpha=(0.3, 0.001, 1e-9))
    def test_is_clopper_pearson(self, n, alpha):
        v = np.unique([0, 1, n // 3, n // 2, (9 * n) // 10, n - 1, n])
        got = lower_bound(v, n, alpha=alpha)
        want = [
            stats.binomtest(int(k), n, alternative="greater")
            .proportion_ci(1.0 - alpha, "exact")
            .low
            for k in v
        ]
        # SciPy looks for the root to within 2e-12, and 1 - alpha loses digits.
        np.testing.assert_allclose(got, want, rtol=3e-8, atol=1e-11)
        some = v > 0
        quantile = stats.beta.ppf(alpha, v[some], n - v[some] + 1)
        np.testing.assert_allclose(got[some], quantile, rtol=1e-9)
        self.assertEqual(got[~some].tolist(), [0.0])

    @parameterized.parameters(0.5, 0.05, 0.001)
    def test_is_never_above_the_exact_bound(self, alpha):
        for n in (*range(1, 13), 40):
            bound = lower_bound(np.arange(n + 1), n, alpha=alpha)
            for v in range(1, n + 1):
                self.assertLessEqual(exact_tail(bound[v], v, n), Fraction(alpha))
                # ... and not lower than it has to be.
                above = float(bound[v]) * (1 + 1e-8)
                self.assertGreater(exact_tail(above, v, n), Fraction(alpha))

    @parameterized.parameters((1_000, 0.001), (10_000, 0.001), (10_000, 0.05))
    def test_is_never_above_at_sizes_of_use(self, n, alpha):
        grid = np.unique(np.linspace(n // 2, n, 9).astype(int))
        for v, bound in zip(grid, lower_bound(grid, n, alpha=alpha), strict=True):
            tail = precise_tail(bound, int(v), n)
            self.assertLessEqual(tail, Decimal(alpha))
            self.assertGreater(tail, Decimal(alpha) * Decimal("0.999999"))

    def test_where_all_agree(self):
        # P(Bin(n, p) >= n) = p^n.
        got = lower_bound(10_000, 10_000, alpha=0.001)
        self.assertLess(got, 0.001 ** (1 / 10_000))
        self.assertAlmostEqual(got, 0.001 ** (1 / 10_000), delta=1e-12)
        self.assertAlmostEqual(got, 0.9993094631, delta=1e-10)

    @parameterized.parameters(1, 2, 100, 10_000)
    def test_grows_with_the_votes(self, n):
        bound = lower_bound(np.arange(n + 1), n, alpha=0.001)
        self.assertGreater(np.diff(bound).min(), 0.0)
        self.assertLess(bound.max(), 1.0)

    def test_any_shape(self):
        got = lower_bound([[90, 100, 0]], 100, alpha=0.01)
        self.assertEqual(got.shape, (1, 3))
        self.assertEqual(got[0, 0], lower_bound(90, 100, alpha=0.01))
        self.assertEqual(lower_bound(np.zeros((0,), int), 5, alpha=0.1).shape, (0,))


class CertifyVotesTest(parameterized.TestCase):
    def certify(self, selection, estimation, **options):
        options = {"num_samples": 100, "sigma": 0.25, "alpha": 0.001} | options
        return certify_votes(np.array(selection), np.array(estimation), **options)

    def test_worked_example(self):
        # The class of the selection votes, whatever the estimation votes say.
        got = self.certify([[2, 8, 0], [9, 1, 0]], [[0, 99, 1], [40, 60, 0]])
        self.assertEqual(got.label.tolist(), [1, ABSTAIN])
        p = stats.beta.ppf(0.001, [99, 40], [2, 61])
        np.testing.assert_allclose(got.lower, p, rtol=1e-9)
        np.testing.assert_allclose(got.radius[0], 0.25 * stats.norm.ppf(p[0]))
        self.assertEqual(got.radius[1], 0.0)

    def test_one_image(self):
        got = self.certify([1, 9], [0, 100])
        self.assertEqual((got.label.shape, int(got.label)), ((), 1))

    def test_samples_that_are_missing_count_against_the_class(self):
        # Ten of ten votes drawn are not ten of ten votes planned.
        all_ten = self.certify([5, 0], [10, 0], num_samples=10)
        ten_of_hundred = self.certify([5, 0], [10, 0], num_samples=100)
        ninety_against = self.certify([5, 0], [10, 90], num_samples=100)
        self.assertEqual(all_ten.label, 0)
        self.assertEqual(ten_of_hundred.label, ABSTAIN)
        self.assertEqual(ten_of_hundred.lower, ninety_against.lower)

    def test_abstains_at_one_half(self):
        # One vote of one at alpha 1/2, two of two at 1/4: the bound is 1/2 exactly.
        for n, alpha in ((1, 0.5), (2, 0.25), (10, 2.0**-10)):
            at = self.certify([1, 0], [n, 0], num_samples=n, alpha=alpha)
            above = self.certify([1, 0], [n, 0], num_samples=n, alpha=alpha * 1.0001)
            self.assertEqual((at.label, at.radius), (ABSTAIN, 0.0))
            self.assertAlmostEqual(float(at.lower), 0.5, delta=1e-9)
            self.assertEqual(above.label, 0)
            self.assertGreater(above.radius, 0.0)

    def test_radius_is_rounded_down(self):
        n, sigma = 10_000, 0.5
        votes = np.array([5_200, 5_500, 7_000, 9_000, 9_900, 9_999, 10_000])
        both = np.stack([votes, n - votes], axis=1)
        got = self.certify(both, both, num_samples=n, sigma=sigma)
        for radius, lower in zip(got.radius, got.lower, strict=True):
            phi = precise_phi(Fraction(radius) / Fraction(sigma))
            self.assertLessEqual(phi, Decimal(float(lower)))
            self.assertGreater(phi, Decimal(float(lower)) - Decimal(1e-12))

    def test_radius_is_that_of_the_noise_drawn(self):
        # In float32, 0.12 is less and 0.1 is more than in float64.
        for sigma in (0.12, 0.1):
            got = self.certify([1, 0], [100, 0], sigma=sigma)
            unit = self.certify([1, 0], [100, 0], sigma=1.0)
            drawn = min(sigma, float(np.float32(sigma)))
            self.assertLessEqual(got.radius, drawn * unit.radius)
            self.assertAlmostEqual(got.radius, drawn * unit.radius, delta=1e-12)

    @parameterized.parameters(
        ({"alpha": 0.0}, "alpha must be between 0 and 1; got 0.0"),
        ({"alpha": 1.0}, "alpha must be between"),
        ({"alpha": float("nan")}, "alpha must be between"),
        ({"sigma": 0.0}, "sigma must be positive and finite; got 0.0"),
        ({"sigma": 1e-60}, "sigma must be positive and finite in float32"),
        ({"sigma": float("inf")}, "sigma must be positive"),
        ({"num_samples": 0}, "num_samples must be an integer of 1 to"),
        ({"num_samples": 100.0}, "num_samples must be an integer"),
        ({"num_samples": 99}, "estimation must be votes of at most num_samples = 99"),
        ({"estimation": [-1, 3]}, "estimation must not be negative; got -1"),
        ({"estimation": [1.0, 3.0]}, "estimation must be integers"),
        ({"estimation": [[1, 3]]}, "selection and estimation must have one shape"),
    )
    def test_bad_arguments(self, options, message):
        options = {"selection": [1, 0], "estimation": [100, 0]} | options
        with self.assertRaisesRegex(ValueError, message):
            self.certify(**options)


class RadiusNeedsTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.01, 0.25, 0.4)
    def test_is_the_least_number_that_certifies(self, radius):
        n = 200
        votes = np.arange(n + 1)
        both = np.stack([votes, n - votes], axis=1)
        options = {"sigma": 0.25, "alpha": 0.001}
        got = certify_votes(np.tile([1, 0], (n + 1, 1)), both, num_samples=n, **options)
        able = (got.label == 0) & (got.radius >= radius)
        self.assertEqual(radius_needs(radius, n, **options), np.argmax(able))

    def test_out_of_reach(self):
        # 2^-9 > 0.001: nine votes of nine prove nothing at this level.
        self.assertEqual(radius_needs(0.0, 9, sigma=1.0, alpha=0.001), 10)
        self.assertEqual(radius_needs(0.0, 10, sigma=1.0, alpha=0.001), 10)
        self.assertEqual(radius_needs(5.0, 1000, sigma=1.0, alpha=0.001), 1001)

    def test_bad_radius(self):
        for radius in (-0.1, float("nan"), float("inf")):
            with self.assertRaisesRegex(ValueError, "radius must be finite and >= 0"):
                radius_needs(radius, 10, sigma=1.0, alpha=0.001)


class ManyCertificatesTest(parameterized.TestCase):
    @parameterized.parameters((500, 0.001, 0.999), (100, 0.05, 0.9), (3, 0.4, 0.999))
    def test_wrong_certificates(self, count, alpha, confidence):
        wrong = wrong_certificates(count, alpha=alpha, confidence=confidence)
        at_most = [1 - exact_tail(alpha, w + 1, count) for w in (wrong - 1, wrong)]
        self.assertLess(at_most[0], Fraction(confidence))
        self.assertGreaterEqual(at_most[1], Fraction(confidence))

    def test_of_none(self):
        self.assertEqual(wrong_certificates(0, alpha=0.001), 0)
        self.assertEqual(any_wrong(0, alpha=0.001), 0.0)

    def test_any_wrong(self):
        self.assertEqual(any_wrong(500, alpha=0.001), 0.5)
        self.assertEqual(any_wrong(5_000, alpha=0.001), 1.0)
        with self.assertRaisesRegex(ValueError, "count must be an integer"):
            any_wrong(-1, alpha=0.001)


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
