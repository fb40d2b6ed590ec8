"""The schedule of Auto-PGD, worked out by hand from the papers."""

import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks._apgd_plan import checkpoints, make_plan, stages


class PlanTest(parameterized.TestCase):
    @parameterized.parameters("linf", "l2")
    def test_checkpoints_of_100_steps(self, norm):
        # 22, then +19, +16, +13, +10, +7, and +6 from there on (105 is past the end).
        want = [22, 41, 57, 70, 80, 87, 93, 99]
        self.assertEqual(checkpoints(100, norm=norm), want)

    @parameterized.parameters(
        (1, "linf", [1]),
        # 22 % of 10 is 2 whole steps, then one at a time.
        (10, "linf", [2, 3, 4, 5, 6, 7, 8, 9, 10]),
        # 11 of 50, one sooner each time (3 % is 1), never before 3 have passed.
        (50, "l2", [11, 21, 30, 38, 45]),
        (100, "l1", list(range(4, 101, 4))),
        (40, "l1", list(range(1, 41))),
    )
    def test_checkpoints_of_other_runs(self, steps, norm, want):
        self.assertEqual(checkpoints(steps, norm=norm), want)

    @parameterized.parameters(
        (100, [(3.0, 30), (2.0, 30), (1.0, 40)]),
        (11, [(3.0, 4), (2.0, 4), (1.0, 3)]),
        (4, [(3.0, 1), (2.0, 1), (1.0, 2)]),
        (2, [(1.0, 2)]),
        (1, [(1.0, 1)]),
    )
    def test_stages(self, steps, want):
        self.assertEqual(stages(steps, shrinking=True), want)
        self.assertEqual(stages(steps, shrinking=False), [(1.0, steps)])

    def test_rows_of_a_plain_run(self):
        plan = make_plan(100, norm="linf", shrinking=False)
        self.assertLen(plan.begin, 101)
        np.testing.assert_array_equal(np.flatnonzero(plan.begin), [0])
        checks = [22, 41, 57, 70, 80, 87, 93, 99]
        np.testing.assert_array_equal(np.flatnonzero(plan.check), checks)
        np.testing.assert_array_equal(
            plan.period[checks], [22, 19, 16, 13, 10, 7, 6, 6]
        )
        np.testing.assert_array_equal(plan.inertia, [0.0] + 100 * [0.25])
        self.assertFalse(np.any(plan.leave))

    def test_rows_of_a_shrinking_run(self):
        plan = make_plan(100, norm="l1", shrinking=True)
        np.testing.assert_array_equal(np.flatnonzero(plan.begin), [0, 31, 62])
        np.testing.assert_array_equal(np.flatnonzero(plan.leave), [30, 61])
        np.testing.assert_array_equal(plan.scale, 31 * [3] + 31 * [2] + 41 * [1])
        np.testing.assert_array_equal(plan.next_scale[:-1], plan.scale[1:])
        # Four percent of 30 and of 40 are one step: every point but a start.
        np.testing.assert_array_equal(plan.check, ~plan.begin)
