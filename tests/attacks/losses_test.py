"""Losses against SciPy, and what they say of labels and logits that are none."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special

from mspd_jax.attacks import cross_entropy, fooled, margin, objective

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
        for loss in (cross_entropy, margin):
            value, gradient = jax.value_and_grad(loss)(jnp.array(LOGITS[0]), label)
            self.assertTrue(np.isnan(value))
            np.testing.assert_array_equal(gradient, np.zeros(5))

    def test_excluded_classes_leave_the_loss_finite(self):
        logits = jnp.array([1.0, 2.0, -jnp.inf])
        want = -special.log_softmax([1.0, 2.0])[1]
        np.testing.assert_allclose(cross_entropy(logits, 1), want, rtol=1e-6)
        self.assertEqual(margin(logits, 1), -1.0)

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
