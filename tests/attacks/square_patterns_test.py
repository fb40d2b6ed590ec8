"""The schedule of Square and its patterns, written out by hand and in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import NORMS
from mspd_jax.attacks import _square_patterns as patterns
from tests.attacks.square_by_hand import hills, sides_of

SHAPE = (7, 6, 2)
KEY = jax.random.key(0)
# Sides of the window on 32 x 32 pixels, by hand: sqrt(.8 * 1024) = 28.6, and divided by
# sqrt(2) after each of these trials.
LAST = (10, 50, 200, 500, 1000, 2000, 4000, 4999)
SIDES = {
    "linf": (29, 20, 14, 10, 7, 5, 4, 3),
    "l2": (29, 21, 15, 11, 7, 5, 5, 3),
    "l1": (29, 21, 15, 11, 7, 5, 5, 3),
}


class ScheduleTest(parameterized.TestCase):
    @parameterized.parameters(*NORMS)
    def test_sides_of_5000_trials_by_hand(self, norm):
        lengths = np.diff([-1, *LAST])
        want = np.repeat(SIDES[norm], lengths)
        np.testing.assert_array_equal(sides_of(5000, (32, 32, 3), norm), want)

    def test_rescaled_trials_by_hand(self):
        # Trial i of 1000 stands for 10 i: 10 is trial 1, 50 is trial 5, and so on.
        want = [29] * 2 + [20] * 4 + [14] * 15 + [10] * 30 + [7] * 50 + [5] * 100
        want += [4] * 200 + [3] * 200 + [2] * 200 + [1] * 199
        got = sides_of(1000, (32, 32, 3), "linf", rescale=True)
        np.testing.assert_array_equal(got, want)

    @parameterized.parameters(
        ("linf", (4, 4), 4),
        ("linf", (2, 30), 2),
        ("linf", (1, 1), 1),
        ("l2", (4, 4), 3),
        ("l2", (2, 2), 2),
        ("l1", (1, 1), 1),
        ("l2", (9, 5), 5),
    )
    def test_windows_fit_small_images(self, norm, shape, side):
        self.assertEqual(sides_of(1, (*shape, 3), norm)[0], side)


class PatternsTest(parameterized.TestCase):
    @parameterized.product(norm=("l2", "l1"), size=(1, 2, 3, 5, 9))
    def test_bump_is_nested_squares(self, norm, size):
        got = np.asarray(patterns.make_bump(jnp.int32(size), (9, 11), norm=norm))
        want = np.zeros((9, 11))
        want[:size, :size] = hills(size, norm)
        np.testing.assert_allclose(got, want, atol=2e-6)

    @parameterized.product(flip=(False, True), corner=((0.0, 0.0), (0.6, 0.999999)))
    def test_placed_in_any_window(self, flip, corner):
        got = patterns.place_bump(
            patterns.make_bump(jnp.int32(3), (7, 6), norm="l2"),
            jnp.array(corner),
            jnp.array(flip),
            jnp.int32(3),
        )
        row, column = int(corner[0] * 5), int(corner[1] * 4)  # 5 and 4 places
        want = np.zeros((7, 6))
        bump = hills(3, "l2")
        want[row : row + 3, column : column + 3] = bump.T if flip else bump
        np.testing.assert_allclose(got[..., 0], want, atol=1e-6)
        inside = patterns.window(jnp.array(corner), jnp.int32(3), SHAPE)[..., 0]
        np.testing.assert_array_equal(inside, want != 0)

    @parameterized.parameters(((12, 10, 3), 2), ((4, 4, 1), 1), ((33, 32, 2), 6))
    def test_grid_is_tiled_with_signed_bumps(self, shape, side):
        grid = np.asarray(patterns.bump_grid(KEY, shape, norm="l2"))
        rows, columns = shape[0] // side, shape[1] // side
        top, left = (shape[0] - rows * side) // 2, (shape[1] - columns * side) // 2
        bump, seen = hills(side, "l2"), set()
        for r, c, channel in np.ndindex(rows, columns, shape[2]):
            tile = grid[top + r * side :, left + c * side :, channel][:side, :side]
            kinds = {
                (s, t): s * (bump.T if t else bump) for s in (1, -1) for t in (0, 1)
            }
            match = [k for k, v in kinds.items() if np.allclose(tile, v, atol=1e-6)]
            self.assertNotEmpty(match)
            seen.add(match[0])
        self.assertLen(seen, 4 if side > 1 else 2)
        self.assertAlmostEqual(np.sum(grid**2), rows * columns * shape[2], places=3)
