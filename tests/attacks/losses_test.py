"""Losses against SciPy, and what they say of labels and logits that are none."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special

from mspd_jax.attacks import cross_entropy, dlr, fooled, margin
from mspd_jax.attacks._losses import dlr_targeted, objective

LOGITS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32) * 10
LABELS = np.arange(6, dtype=np.int32) % 5


class LossesTest(parameterized.TestCase):
    def test_cross_entropy_equals_scipy(self):
        got = jax.vmap(cross_entropy)(LOGITS, LABELS)
        want = -special.log_softmax(LOGITS.astype(np.float64), axis=1)
        np.testing.assert_allclose(got, want[np.arange(6), LABELS], 1e-6, 1e-7)

    def test_cross_entropy_gradient_is_softmax_minus_one_hot(self):
        got = jax.vmap(jax.grad(cross_entropy))(LOGITS, LABELS)
        want = special.softmax(LOGITS.astype(np.float64), axis=1) - np.eye(5)[LABELS]
        np.testing.assert_allclose(got, want, atol=1e-6)

    def test_margin_by_hand(self):
        logits = jnp.array([3.0, -1.0, 2.5])
        got = [margin(logits, label) for label in range(3)]
        np.testing.assert_array_equal(got, np.float32([-0.5, 4.0, 0.5]))

    @parameterized.parameters(-1, 5, 100)
    def test_unknown_label_has_no_loss_and_no_gradient(self, label):
        losses = [cross_entropy, margin, dlr]
        losses += [
            lambda z, y: dlr_targeted(z, y, 1),
            lambda z, t: dlr_targeted(z, 1, t),
        ]
        for loss in losses:
            value, gradient = jax.value_and_grad(loss)(jnp.array(LOGITS[0]), label)
            self.assertTrue(np.isnan(value))
            np.testing.assert_array_equal(gradient, np.zeros(5))

    def test_excluded_classes_leave_the_loss_finite(self):
        logits = jnp.array([1.0, 2.0, -jnp.inf])
        want = -special.log_softmax([1.0, 2.0])[1]
        np.testing.assert_allclose(cross_entropy(logits, 1), want, rtol=1e-6)
        self.assertEqual(margin(logits, 1), -1.0)

    @parameterized.parameters(
        # z_(1) - z_(3) is 4; the best wrong class is 3 up, and 1 or 4 down.
        ([5.0, 1.0, 4.0, -7.0], 1, 1.0),
        ([5.0, 1.0, 4.0, -7.0], 0, -0.25),
        ([5.0, 1.0, 4.0, -7.0], 2, 0.25),
        ([5.0, 1.0, 4.0], 1, 1.0),
        # Two logits: the margin.
        ([5.0, 1.0], 1, 4.0),
        ([5.0, 1.0], 0, -4.0),
        # All alike: nothing divided by 1e-12.
        ([2.0, 2.0, 2.0], 0, 0.0),
    )
    def test_dlr_by_hand(self, logits, label, want):
        self.assertEqual(dlr(jnp.array(logits), label), want)

    @parameterized.parameters(
        # z_(1) - (z_(3) + z_(4)) / 2 = 6 - (2 + 0) / 2 = 5.
        ([2.0, 6.0, 0.0, 4.0, -9.0], 1, 0, -0.8),
        ([2.0, 6.0, 0.0, 4.0, -9.0], 4, 3, 2.6),
        # Three logits: z_(1) - (z_(2) + z_(3)) / 2 = 4; two: none.
        ([1.0, 6.0, 3.0], 1, 2, -0.75),
        ([2.0, 6.0], 1, 0, -4.0),
    )
    def test_targeted_dlr_by_hand(self, logits, label, target, want):
        got = dlr_targeted(jnp.array(logits), label, target)
        self.assertAlmostEqual(float(got), want, places=6)

    def test_no_rounding_where_dlr_is_constant(self):
        # Of three classes, and the label last: exactly 1, hence a gradient of zero.
        logits = jnp.array([0.1, 0.7, 0.3]) * 3.3
        value, gradient = jax.value_and_grad(dlr)(logits, 0)
        self.assertEqual(value, 1.0)
        np.testing.assert_array_equal(gradient, np.zeros(3))

    @parameterized.parameters(3, 4, 5)
    def test_targeted_dlr_leads_to_the_last_class(self, classes):
        logits = jnp.arange(classes, dtype=float)
        gradient = jax.grad(dlr_targeted)(logits, classes - 1, 0)
        self.assertGreater(gradient[0], 0.1)

    @parameterized.parameters((0.0, 1e-3), (0.0, 1e3), (7.0, 1.0), (-300.0, 20.0))
    def test_dlr_does_not_change_with_shift_and_scale(self, shift, scale):
        moved = np.float32(scale) * LOGITS + np.float32(shift)
        for loss in (dlr, lambda z, y: dlr_targeted(z, y, (y + 1) % 5)):
            want = jax.vmap(loss)(LOGITS, LABELS)
            np.testing.assert_allclose(jax.vmap(loss)(moved, LABELS), want, rtol=1e-4)

    def test_dlr_has_the_sign_of_the_margin_and_its_gradient_by_differences(self):
        value = jax.vmap(dlr)(LOGITS, LABELS)
        np.testing.assert_array_equal(value > 0, jax.vmap(margin)(LOGITS, LABELS) > 0)
        for loss in (dlr, lambda z, y: dlr_targeted(z, y, (y + 2) % 5)):
            got = jax.vmap(jax.grad(loss))(LOGITS, LABELS)
            for i, step in enumerate(0.01 * np.eye(5, dtype=np.float32)):
                up = jax.vmap(loss)(LOGITS + step, LABELS)
                down = jax.vmap(loss)(LOGITS - step, LABELS)
                np.testing.assert_allclose(got[:, i], (up - down) / 0.02, atol=2e-4)

    def test_objective_rises_away_from_label_and_towards_target(self):
        logits = jnp.array([3.0, -1.0, 2.5])
        self.assertEqual(objective(logits, 1), cross_entropy(logits, 1))
        self.assertEqual(objective(logits, 1, target=0), -cross_entropy(logits, 0))
        self.assertEqual(objective(logits, 1, loss=margin), 4.0)

    @parameterized.parameters(
        ([3.0, 1.0, 2.0], 0, None, False),
        ([3.0, 1.0, 2.0], 1, None, True),
        ([3.0, 1.0, 2.0], 1, 2, False),
        ([3.0, 1.0, 2.0], 1, 0, True),
        ([np.nan, 1.0, 2.0], 0, None, True),
        ([0.0, 1.0, np.nan], 2, None, True),
        ([np.nan, 1.0, 2.0], 1, 0, False),
    )
    def test_fooled(self, logits, label, target, want):
        self.assertEqual(bool(fooled(jnp.array(logits), label, target=target)), want)
