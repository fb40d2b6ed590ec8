"""Distances, and what the minimum-distance attacks keep."""

import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import NORMS, distance
from mspd_jax.attacks._attempts import no_candidate
from mspd_jax.attacks._nearest import keep_nearest

ORDER = {"linf": np.inf, "l2": 2, "l1": 1}
IMAGE = np.full((2, 1, 1), 0.5, np.float32)
RIGHT, CLOSE, WRONG = ([1.0, 0.0], [0.2, 0.0], [0.0, 0.3])
BROKEN = [0.0, np.nan]


def kept(*points, least=0.0):
    """The best after points, each (offset, logits), for label 0: (it, successes)."""
    best, successes = no_candidate(IMAGE), []
    for offset, logits in points:
        x, logits = IMAGE + np.float32(offset), jnp.array(logits)
        best, success = keep_nearest(
            best, x, IMAGE, logits, 0, norm="linf", least=least
        )
        successes.append(bool(success))
    return best, successes


class DistanceTest(parameterized.TestCase):
    @parameterized.parameters(*NORMS)
    def test_is_that_of_numpy(self, norm):
        x, image = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype(np.float32)
        want = np.linalg.norm((x - image).ravel(), ORDER[norm])
        np.testing.assert_allclose(distance(x, image, norm=norm), want, rtol=1e-6)
        self.assertLess(distance(x, x, norm=norm), 1e-29)


class KeepNearestTest(parameterized.TestCase):
    def test_the_nearest_success_is_kept(self):
        best, successes = kept((0.3, WRONG), (0.1, WRONG), (0.2, WRONG))
        self.assertEqual(successes, [True] * 3)
        np.testing.assert_allclose(best.image, IMAGE + 0.1, rtol=1e-6)
        np.testing.assert_allclose(best.loss, -0.1, rtol=1e-5)

    def test_without_a_success_it_is_the_largest_margin(self):
        best, successes = kept((0.1, RIGHT), (0.3, CLOSE), (0.2, RIGHT))
        self.assertEqual(successes, [False] * 3)
        np.testing.assert_allclose(best.image, IMAGE + 0.3, rtol=1e-6)
        np.testing.assert_allclose(best.loss, -0.2, rtol=1e-6)
        self.assertFalse(best.success)

    def test_a_success_far_off_is_better_than_none(self):
        best, _ = kept((0.1, CLOSE), (0.4, WRONG), (0.1, CLOSE))
        np.testing.assert_allclose(best.image, IMAGE + 0.4, rtol=1e-6)

    def test_a_success_needs_the_least_margin(self):
        _, successes = kept((0.1, WRONG), (0.2, [0.0, 0.6]), least=0.5)
        self.assertEqual(successes, [False, True])

    def test_nan_is_never_kept(self):
        best, successes = kept((0.1, BROKEN))
        self.assertEqual(successes, [False])
        np.testing.assert_array_equal(best.image, IMAGE)
        self.assertEqual(best.loss, -np.inf)
