"""Stopping rules against brute force, and what they cost, summed and not sampled."""

import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.smoothing import stopping_plan
from mspd_jax.smoothing._certificate import radius_needs

FIXED = {"selection": 10, "estimation": 200, "sigma": 0.25, "alpha": 0.01}
NEEDED = {None: 0.0, 0.1: 0.1, 0.3: 0.3}


def joint(plan, p):
    """P(votes at the end = v, stopped early or not) of the full run, [2, n + 1]."""
    n = int(plan.estimation)
    going, stopped = np.zeros(n + 1), np.zeros(n + 1)
    going[0] = 1.0
    start = 0
    for end, futile in zip(plan.ends, plan.futile, strict=True):
        step = stats.binom.pmf(np.arange(n + 1), end - start, p)
        going = np.convolve(going, step)[: n + 1]
        stopped = np.convolve(stopped, step)[: n + 1]
        out = np.arange(n + 1) <= futile
        stopped, going = stopped + np.where(out, going, 0.0), np.where(out, 0.0, going)
        start = end
    return np.stack([stopped, going])


class PlanTest(parameterized.TestCase):
    def test_ends(self):
        plan = stopping_plan(**FIXED, rounds=3)
        self.assertEqual(plan.ends.tolist(), [67, 134, 200])
        plan = stopping_plan(**(FIXED | {"estimation": 20}), rounds=16)
        self.assertEqual(plan.ends[-1], 20)
        self.assertGreaterEqual(np.diff(plan.ends).min(), 0)

    def test_one_round_draws_all(self):
        plan = stopping_plan(**FIXED, rounds=1, futility=0.1)
        self.assertEqual(plan.ends.tolist(), [200])
        self.assertEqual(plan.enough, 201)

    def test_is_a_pytree_of_small_integers(self):
        plan = stopping_plan(**FIXED, radius=0.1, futility=0.1, known_label=True)
        kinds = [np.asarray(leaf).dtype for leaf in plan]
        self.assertEqual(kinds, [np.int32] * 5 + [np.bool_])

    @parameterized.parameters(*NEEDED)
    def test_curtailment_is_exact(self, radius):
        plan = stopping_plan(**FIXED, radius=radius, rounds=7)
        needed = radius_needs(NEEDED[radius], 200, sigma=0.25, alpha=0.01)
        for end, futile in zip(plan.ends, plan.futile, strict=True):
            votes = np.arange(end + 1)
            np.testing.assert_array_equal(votes <= futile, votes + (200 - end) < needed)
        self.assertEqual(plan.enough, 201 if radius is None else needed)

    @parameterized.product(radius=tuple(NEEDED), futility=(0.01, 0.3))
    def test_futility_is_the_upper_bound(self, radius, futility):
        plan = stopping_plan(**FIXED, radius=radius, futility=futility, rounds=7)
        exact = stopping_plan(**FIXED, radius=radius, rounds=7)
        target = stats.norm.cdf(NEEDED[radius] / 0.25)
        for end, futile, out in zip(plan.ends, plan.futile, exact.futile, strict=True):
            for votes in range(end + 1):
                upper = stats.binomtest(votes, end, alternative="less").proportion_ci(
                    1.0 - futility / 7, "exact"
                )
                stop = upper.high < target or votes <= out
                self.assertEqual(votes <= futile, stop, (end, votes))
        self.assertTrue(np.any(plan.futile > exact.futile))

    @parameterized.product(radius=tuple(NEEDED), futility=(0.02, 0.2))
    def test_power_that_futility_costs(self, radius, futility):
        plan = stopping_plan(**FIXED, radius=radius, futility=futility, rounds=10)
        needed = radius_needs(NEEDED[radius], 200, sigma=0.25, alpha=0.01)
        lost = [joint(plan, p)[0, needed:].sum() for p in np.linspace(0.3, 0.99, 70)]
        self.assertLessEqual(max(lost), max(futility, 0.01))
        self.assertGreater(max(lost), 0.0)

    @parameterized.parameters(*NEEDED)
    def test_without_futility_no_claim_is_lost(self, radius):
        plan = stopping_plan(**FIXED, radius=radius, rounds=10)
        needed = radius_needs(NEEDED[radius], 200, sigma=0.25, alpha=0.01)
        for p in (0.4, 0.6, 0.8):
            stopped = joint(plan, p)[0]
            self.assertEqual(stopped[needed:].sum(), 0.0)
        self.assertGreater(stopped.sum() + joint(plan, 0.4)[0].sum(), 0.1)

    @parameterized.parameters(
        (
            {"estimation": 6},
            "estimation must allow for any claim at alpha 0.01; with 6",
        ),
        ({"radius": 1.0}, "estimation must allow for radius 1, sigma 0.25"),
        ({"radius": -1.0}, "radius must be finite and >= 0"),
        ({"futility": 1.0}, "futility must be at least 0 and below 1; got 1.0"),
        ({"futility": -0.1}, "futility must be"),
        ({"rounds": 0}, "rounds must be an integer"),
        ({"selection": 0}, "selection must be an integer"),
        ({"alpha": 0.0}, "alpha must be"),
        ({"sigma": -1.0}, "sigma must be"),
    )
    def test_bad_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            stopping_plan(**(FIXED | options))
