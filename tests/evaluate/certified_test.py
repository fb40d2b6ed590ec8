"""Certified accuracy by hand-worked records."""

import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from mspd_jax.evaluate import (
    certified_accuracy,
    certified_totals,
)


def record(radius, correct=True, drawn=100):
    """An image of class 3: right, wrong, or, at radius 0, abstained."""
    prediction = -1 if radius == 0 else 3 if correct else 5
    right = correct and radius > 0
    return {
        "index": 0,
        "label": 3,
        "prediction": prediction,
        "radius": radius,
        "correct": right,
        "drawn": drawn,
    }


# Right at .25 exactly, at .6 and .9; wrong at 2; one abstention that was cut short.
FIVE = [
    record(0.25),
    record(0.6),
    record(0.9),
    record(2.0, False),
    record(0.0, drawn=5),
]
ABSTAINED = [record(0.0) for _ in range(4)]


class CertifiedAccuracyTest(parameterized.TestCase):
    @parameterized.parameters(
        (0.0, 3),
        (0.1, 3),
        (0.25, 3),
        (np.nextafter(0.25, 1), 2),
        (0.6, 2),
        (0.75, 1),
        (0.9, 1),
        (np.nextafter(0.9, 1), 0),
        (2.0, 0),
    )
    def test_counts_right_images_that_reach_the_radius(self, radius, count):
        self.assertEqual(certified_accuracy(FIVE, radius), count / 5)

    def test_nothing_is_certified_by_abstaining(self):
        self.assertEqual(certified_accuracy(ABSTAINED, 0.0), 0.0)
        # An abstention (-1) is no right answer for an image without a label (-1).
        unknown = [{**record(0.0), "label": -1, "correct": True}]
        self.assertEqual(certified_accuracy(unknown, 0.0), 0.0)

    def test_no_images_and_no_number(self):
        self.assertTrue(math.isnan(certified_accuracy([], 0.5)))
        self.assertEqual(certified_accuracy([record(math.nan)], 0.0), 0.0)

    @parameterized.parameters(-0.1, math.inf, math.nan)
    def test_bad_radius(self, radius):
        with self.assertRaisesRegex(ValueError, "radius must be finite and >= 0; got"):
            certified_accuracy(FIVE, radius)


class CertifiedTotalsTest(parameterized.TestCase):
    def test_by_hand(self):
        totals = certified_totals(FIVE, alpha=0.01)
        self.assertEqual(totals["certified_accuracy"], 3 / 5)
        self.assertEqual(
            totals["certified"],
            {"0.25": 0.6, "0.5": 0.4, "0.75": 0.2, "1.0": 0.0, "1.25": 0.0, "1.5": 0.0},
        )
        self.assertEqual(totals["abstained"], 1 / 5)
        self.assertAlmostEqual(totals["mean_radius"], (0.25 + 0.6 + 0.9) / 5, places=12)
        self.assertEqual(totals["samples_drawn"], (4 * 100 + 5) / 5)

    def test_intervals_are_those_of_wilson(self):
        totals = certified_totals(FIVE, alpha=0.01, radii=(0.5,))
        self.assertEqual(list(totals["certified_interval"]), ["0.5"])
        # SciPy's interval, rounded as all intervals of summaries are.
        want = stats.binomtest(2, 5).proportion_ci(method="wilson")
        np.testing.assert_allclose(
            totals["certified_interval"]["0.5"], want, atol=5.1e-5
        )

    @parameterized.parameters((0.001, 0.005), (0.1, 0.5), (0.3, 1.0))
    def test_wrong_certificates(self, alpha, some):
        wrong = certified_totals(FIVE, alpha=alpha)["wrong_certificates"]
        self.assertAlmostEqual(wrong["any"], some, places=12)
        self.assertEqual(wrong["confidence"], 0.999)
        # All five images count, the abstention and the wrong class too.
        tail = stats.binom(5, alpha)
        self.assertGreaterEqual(tail.cdf(wrong["at_most"]), 0.999)
        self.assertLess(tail.cdf(wrong["at_most"] - 1), 0.999)

    def test_all_abstain(self):
        totals = certified_totals(ABSTAINED, alpha=0.001)
        self.assertEqual(totals["certified_accuracy"], 0.0)
        self.assertEqual(totals["abstained"], 1.0)
        self.assertEqual(totals["mean_radius"], 0.0)
        self.assertEqual(set(totals["certified"].values()), {0.0})

    def test_no_images(self):
        totals = certified_totals([], alpha=0.001)
        self.assertEqual((totals["certified"], totals["certified_interval"]), ({}, {}))
        for name in ("certified_accuracy", "abstained", "mean_radius", "samples_drawn"):
            self.assertIsNone(totals[name], name)
        self.assertEqual(
            totals["wrong_certificates"],
            {"any": 0.0, "at_most": 0, "confidence": 0.999},
        )


if __name__ == "__main__":
    absltest.main()
