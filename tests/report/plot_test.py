"""The plot of accuracy against eps, read back as pixels."""

import io

import numpy as np
from absl.testing import absltest
from PIL import Image

from mspd_jax.report import Curve, accuracy_plot

FALL = [(0.0, 0.9, 0.85, 0.95), (8.0, 0.3, 0.2, 0.4), (4.0, 0.6, 0.5, 0.7)]
# The first two colors of lines, as they are drawn.
BLUE, RED = (0x1B, 0x6C, 0xA8), (0xC8, 0x55, 0x3D)


def pixels(curves):
    png = accuracy_plot(curves, label="eps, linf")
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


if __name__ == "__main__":
    absltest.main()
