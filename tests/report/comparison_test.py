"""The grid of images: places, colors and pixels as they reach the eye."""

import io
import subprocess
import sys

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from mspd_jax.report._comparison import Tile, amplified, comparison_picture

GRAY = np.full((8, 8, 1), 0.5)
GREEN, RED = np.array([26, 127, 55]), np.array([198, 40, 40])


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def count_near(picture, color):
    return int((np.abs(picture - color).max(axis=-1) < 12).sum())


class PictureTest(parameterized.TestCase):
    def test_small_images_keep_hard_pixels(self):
        board = np.indices((8, 8)).sum(0)[..., None] % 2
        picture = pixels(comparison_picture([[Tile(board * 1.0)]], [""]))
        black, white = count_near(picture, 0), count_near(picture, 255)
        tile = (1.5 * 120) ** 2  # inches, dots per inch
        self.assertBetween(black, 0.48 * tile, 0.52 * tile)
        # The rest of the page is white, so hardly anything is in between.
        self.assertGreater(black + white, 0.97 * picture[..., 0].size)

    def test_colors_of_an_image_survive(self):
        image = np.zeros((32, 32, 3))
        image[..., 0], image[:16, :, 1] = 1.0, 1.0  # yellow above red
        picture = pixels(comparison_picture([[Tile(image)]], [""]))
        half = (1.5 * 120) ** 2 / 2
        self.assertAlmostEqual(
            count_near(picture, [255, 255, 0]), half, delta=0.05 * half
        )
        self.assertAlmostEqual(
            count_near(picture, [255, 0, 0]), half, delta=0.05 * half
        )
        rows = np.abs(picture - [255, 255, 0]).max(axis=-1).argmin(axis=0)
        self.assertLess(rows.max(), picture.shape[0] / 2)

    @parameterized.parameters((True, GREEN, RED), (False, RED, GREEN))
    def test_verdicts_are_painted(self, right, seen, unseen):
        tile = Tile(GRAY, "cat", right)
        picture = pixels(comparison_picture([[tile]], [""]))
        self.assertGreater(count_near(picture, seen), 500)
        self.assertEqual(count_near(picture, unseen), 0)
        neutral = pixels(comparison_picture([[tile._replace(right=None)]], [""]))
        self.assertEqual(count_near(neutral, seen), 0)

    def test_rows_run_down_and_columns_to_the_right(self):
        grid = [[0.1, 0.3], [0.5, 0.7], [0.9, 0.2]]
        rows = [[Tile(np.full((8, 8, 1), level)) for level in row] for row in grid]
        picture = pixels(comparison_picture(rows, ["", ""]))
        height, width = picture.shape[:2]
        for i, row in enumerate(grid):
            for j, level in enumerate(row):
                # Middles of the tiles, to within the heading and the captions.
                middle = picture[
                    int((i + 0.6) * height / 3), int((j + 0.5) * width / 2)
                ]
                np.testing.assert_allclose(middle, level * 255, atol=1)

    def test_an_empty_place_stays_empty(self):
        tile = Tile(GRAY)
        both = pixels(comparison_picture([[tile, tile]], ["", ""]))
        left = pixels(comparison_picture([[tile, None]], ["", ""]))
        self.assertEqual(both.shape, left.shape)
        half = both.shape[1] // 2
        np.testing.assert_array_equal(both[:, :half], left[:, :half])
        self.assertTrue((left[:, half:] == 255).all())

    def test_titles_and_captions_are_text_and_not_formulas(self):
        tile = Tile(GRAY, r"a$\frac$b")
        with_title = pixels(comparison_picture([[tile]], [r"a$\frac$b"]))
        without = pixels(comparison_picture([[tile]], [""]))
        self.assertGreater((with_title != without).sum(), 0)

    def test_same_input_same_bytes_and_nothing_global(self):
        rows = [[Tile(GRAY, "a", True), Tile(np.zeros((20, 30, 3)))]]
        first = comparison_picture(rows, ["x", "y"])
        self.assertEqual(first, comparison_picture(rows, ["x", "y"]))
        code = (
            "import sys, numpy as np; from mspd_jax.report._comparison import *; "
            "assert 'matplotlib' not in sys.modules; "
            "comparison_picture([[Tile(np.zeros((4, 4, 1)))]], ['x']); "
            "assert 'matplotlib.pyplot' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_amplified_is_centered_on_gray(self):
        original = np.full((1, 2, 1), 0.5)
        image = original + np.array([0.02, -0.2]).reshape(1, 2, 1)
        np.testing.assert_allclose(amplified(image, original).ravel(), [0.7, 0.0])
        np.testing.assert_allclose(
            amplified(image, original, factor=1.0).ravel(), [0.52, 0.3]
        )

    @parameterized.parameters(
        ([], ["x"], "one per title"),
        ([[Tile(GRAY)]], ["x", "y"], "one per title"),
        ([[Tile(GRAY[..., 0])]], ["x"], "image must be"),
    )
    def test_bad_grids_are_refused(self, rows, titles, message):
        with self.assertRaisesRegex(ValueError, message):
            comparison_picture(rows, titles)


if __name__ == "__main__":
    absltest.main()
