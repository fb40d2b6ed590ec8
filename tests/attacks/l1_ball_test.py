"""The l1 ball cut with the box: projection, steps, noise."""

import jax
import numpy as np
from absl.testing import parameterized
from scipy import optimize, stats

from mspd_jax.attacks._l1_ball import l1_noise, project_l1, sparse_direction


class ProjectTest(parameterized.TestCase):
    @parameterized.product(seed=(0, 1, 2), eps=(0.05, 0.7, 3.0))
    def test_is_the_nearest_point_of_both_sets(self, seed, eps):
        # Against SciPy's constrained least squares, in the split variables p - m.
        rng = np.random.default_rng(seed)
        image = rng.uniform(size=(3, 2, 1)).astype(np.float32)
        x = image + rng.normal(size=image.shape).astype(np.float32)
        got = np.asarray(project_l1(x, image, eps=eps), np.float64)
        center, point = image.ravel().astype(float), x.ravel().astype(float)
        bounds = [(0, 1 - c) for c in center] + [(0, c) for c in center]
        found = optimize.minimize(
            lambda v: np.sum((center + v[:6] - v[6:] - point) ** 2),
            np.zeros(12),
            bounds=bounds,
            constraints={"type": "ineq", "fun": lambda v: eps - np.sum(v)},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        want = center + found.x[:6] - found.x[6:]
        np.testing.assert_allclose(got.ravel(), want, atol=2e-4)
        self.assertLessEqual(np.abs(got.ravel() - center).sum(), eps + 1e-6)

    def test_a_point_of_both_sets_stays(self):
        image = np.full((3, 2, 1), 0.5, np.float32)
        x = image + np.float32(0.01)
        np.testing.assert_array_equal(project_l1(x, image, eps=0.07), x)


class DirectionTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 4, 7, 24)
    def test_the_largest_entries_move_alike(self, count):
        gradient = np.random.default_rng(3).normal(size=(4, 3, 2)).astype(np.float32)
        got = np.asarray(sparse_direction(gradient, count)).ravel()
        moved = max(count, 1)
        want = np.zeros(24)
        largest = np.argsort(np.abs(gradient.ravel()))[-moved:]
        want[largest] = np.sign(gradient.ravel()[largest]) / moved
        np.testing.assert_allclose(got, want, atol=1e-7)

    def test_nothing_flows_back(self):
        slope = jax.grad(lambda g: sparse_direction(g, 3).sum())
        np.testing.assert_array_equal(slope(np.ones((2, 2, 1), np.float32)), 0.0)


class NoiseTest(parameterized.TestCase):
    """Kolmogorov-Smirnov against SciPy: fixed key, false-alarm rate 1e-3 per test."""

    def test_l1_is_uniform_in_the_ball(self):
        # 2,000 draws: the share s = |x|_1 / eps has s^24 uniform, and an entry's share
        # of s is Beta(1, 23), with either sign.
        keys = jax.random.split(jax.random.key(5), 2000)
        draws = jax.vmap(lambda key: l1_noise(key, (4, 3, 2), eps=0.3))(keys)
        draws = np.asarray(draws).reshape(2000, -1)
        length = np.abs(draws).sum(axis=1)
        self.assertLessEqual(length.max(), 0.3 + 1e-6)
        volume = (length / 0.3) ** 24
        self.assertGreater(stats.kstest(volume, stats.uniform.cdf)[1], 1e-3)
        share = np.abs(draws[:, 7]) / length
        self.assertGreater(stats.kstest(share, stats.beta(1, 23).cdf)[1], 1e-3)
        positive = int(np.sum(draws[:, 7] > 0))
        self.assertGreater(stats.binomtest(positive, 2000).pvalue, 1e-3)
