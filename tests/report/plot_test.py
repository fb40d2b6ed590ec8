"""The plots of accuracy, read back as pixels, and the steps of certified accuracy."""

import io
import math

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from mspd_jax.evaluate import RADII, certified_accuracy, wilson_interval
from mspd_jax.report._plot import (
    Curve,
    accuracy_plot,
    certified_curve,
    certified_plot,
)

FALL = [(0.0, 0.9, 0.85, 0.95), (8.0, 0.3, 0.2, 0.4), (4.0, 0.6, 0.5, 0.7)]
# The first two colors of lines, as they are drawn.
BLUE, RED = (0x1B, 0x6C, 0xA8), (0xC8, 0x55, 0x3D)


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


ABSTAINED = [record(0.0) for _ in range(4)]


def drawn_records(seed):
    """30 images, radii in multiples of 1/8 so that many are the same."""
    random = np.random.default_rng(seed)
    radii = random.integers(0, 12, 30) / 8
    return [record(r, c) for r, c in zip(radii, random.random(30) < 0.8, strict=True)]


def share_at(curve, radius):
    """(share, low, high) of the steps at a radius."""
    return next(rest for x, *rest in curve.points if x >= radius)


def pixels(curves, plot=accuracy_plot):
    png = plot(curves, label="a radius")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def drawn(image, color):
    return np.argwhere(np.all(image == color, axis=-1))


class AccuracyPlotTest(absltest.TestCase):
    def test_lines_fall_from_left_to_right_in_the_order_of_eps(self):
        places = drawn(pixels([Curve("one", FALL)]), BLUE)
        # The legend's handle stands to the right: only the left half of the plot.
        left = places[places[:, 1] < 300]
        columns = np.unique(left[:, 1])
        heights = [left[left[:, 1] == c, 0].min() for c in columns[::20]]
        self.assertTrue(np.all(np.diff(heights) > 0), heights)

    def test_a_line_for_each_curve_dashed_where_unreliable(self):
        solid = [
            Curve("one", FALL),
            Curve("two", [(x, s / 2, 0, 1) for x, s, *_ in FALL]),
        ]
        image = pixels(solid)
        dashed = pixels([solid[0], solid[1]._replace(unreliable=True)])
        self.assertGreater(len(drawn(image, RED)), 100)
        self.assertLess(len(drawn(dashed, RED)), 0.8 * len(drawn(image, RED)))


class CertifiedCurveTest(parameterized.TestCase):
    @parameterized.parameters(*range(5))
    def test_steps_are_the_certified_accuracy_at_every_radius(self, seed):
        records = drawn_records(seed)
        curve = certified_curve("one", records)
        self.assertEqual(curve.points[0][0], 0.0)
        self.assertEqual(curve.points[-1][:2], (math.inf, 0.0))
        asked = [*np.random.default_rng(seed).uniform(0, 2, 50), *RADII, 0.0]
        at_steps = [x for x, *_ in curve.points[1:-1]]
        asked += [*at_steps, *np.nextafter(at_steps, 0), *np.nextafter(at_steps, 9)]
        for radius in asked:
            share, low, high = share_at(curve, radius)
            self.assertEqual(share, certified_accuracy(records, radius), radius)
            want = wilson_interval(round(share * 30), 30)
            self.assertEqual((low, high), tuple(map(float, want)))

    def test_without_certificates(self):
        for records in (ABSTAINED, []):
            curve = certified_curve("none", records)
            self.assertEqual([p[:2] for p in curve.points], [(0, 0), (math.inf, 0)])
            self.assertGreater(len(drawn(pixels([curve], certified_plot), BLUE)), 100)


class CertifiedPlotTest(absltest.TestCase):
    def test_one_step_is_a_level_line_a_drop_and_a_foot(self):
        # All of 10 images at radius 1: level at 100 %, then down to 0 at radius 1.
        image = pixels([certified_curve("one", [record(1.0)] * 10)], certified_plot)
        places = drawn(image, BLUE)
        rows, columns = np.unique(places[:, 0]), np.unique(places[:, 1])
        top, bottom = rows.min(), rows.max()
        # The drop is the one column that is drawn over nearly the whole height.
        heights = [np.sum(places[:, 1] == c) for c in columns]
        drop = columns[int(np.argmax(heights))]
        self.assertGreater(max(heights), 0.9 * (bottom - top))
        level = places[places[:, 0] < top + 3, 1]
        foot = places[places[:, 0] > bottom - 3, 1]
        # Level from radius 0 to 1 and the foot beyond it, by no more than 2 %.
        self.assertAlmostEqual(level.max(), drop, delta=3)
        width = drop - level.min()
        self.assertGreater(width, 500)
        # The plot begins at radius 0: the axis is the column that is blackest.
        axis = np.bincount(drawn(image, (0, 0, 0))[:, 1]).argmax()
        self.assertAlmostEqual(level.min(), axis, delta=3)
        self.assertGreaterEqual(foot.min(), drop - 3)
        self.assertBetween(foot.max() - drop, 0.01 * width, 0.03 * width)

    def test_lines_differ_in_color_and_pattern(self):
        curve = certified_curve("one", [record(1.0)] * 10)
        # Of another height, lest the second line hide the first.
        half = certified_curve("two", [record(1.0)] * 5 + ABSTAINED + [record(0.0)])
        image = pixels([curve, half], certified_plot)
        level = drawn(image, BLUE), drawn(image, RED)
        self.assertGreater(len(level[1]), 100)
        solid, broken = (np.unique(places[:, 1]) for places in level)
        # A solid line is drawn in every column, a dashed one is not.
        reach = solid[solid < 500]
        self.assertLen(reach, reach.max() - reach.min() + 1)
        gaps = np.diff(broken[broken < 500])
        self.assertGreater(np.sum(gaps > 2), 10)


if __name__ == "__main__":
    absltest.main()
