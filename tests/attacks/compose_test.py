"""Attacks made of attacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import Proposal, reseed, worst_case
from mspd_jax.attacks._compose import average_draws

IMAGE = np.full((2, 1, 1), 0.5, np.float32)
KEY = jax.random.key(0)


def predict(image):
    """Right (class 0) while the sum stays below 1.2; more is better for the attack."""
    return jnp.stack([1.2 - jnp.sum(image), 0.0])


def move(key, predict, image, label, *, by, loss):
    return Proposal(image + by, loss)


def moving(by, loss=0.0):
    return Partial(move, by=np.float32(by), loss=np.float32(loss))


class WorstCaseTest(parameterized.TestCase):
    @parameterized.parameters(
        ((0.0, 0.3, 0.05), 0.3),
        ((0.3, 0.0), 0.3),
        ((-0.3, -0.1), -0.1),
        ((0.05, np.nan), 0.05),
    )
    def test_the_largest_margin_is_kept_whatever_is_claimed(self, moves, want):
        attacks = [moving(by, loss=-by if by == by else 9) for by in moves]
        got = worst_case(tuple(attacks))(KEY, _nan_is_harmless, IMAGE, 0)
        np.testing.assert_allclose(got.image, IMAGE + np.float32(want), rtol=1e-6)

    def test_broken_logits_count_as_found(self):
        def breaks_above(image):
            return jnp.where(jnp.sum(image) > 1.1, jnp.nan, predict(image))

        got = worst_case((moving(0.2), moving(0.0)))(KEY, breaks_above, IMAGE, 0)
        np.testing.assert_allclose(got.image, IMAGE + np.float32(0.2))
        self.assertEqual(got.loss, jnp.inf)

    def test_attacks_draw_apart(self):
        def random_move(key, predict, image, label):
            return Proposal(image + jax.random.uniform(key), jnp.float32(0))

        attack = Partial(random_move)
        one = worst_case((attack,))(KEY, predict, IMAGE, 0)
        two = worst_case((attack, attack, attack))(KEY, predict, IMAGE, 0)
        self.assertGreater(two.loss, one.loss)

    def test_none_is_refused(self):
        with self.assertRaisesRegex(ValueError, "at least one"):
            worst_case(())


class AverageDrawsTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_the_attack_sees_the_mean_of_fresh_draws(self):
        def noisy(key, image):
            return jax.random.normal(key, (2,)) + predict(image)

        def ask(key, predict, image, label):
            return Proposal(image, predict(image)[0])

        model = Partial(noisy, jax.random.key(5))
        asked = [
            average_draws(Partial(ask), draws=100)(KEY, reseed(model, i), IMAGE, 0).loss
            for i in range(20)
        ]
        # Means of 100 draws scatter by 0.1: 20 of them within 4 standard errors of
        # their mean, and of their spread (false alarms below 1e-3).
        self.assertAlmostEqual(np.mean(asked), 0.2, delta=4 * 0.1 / 20**0.5)
        self.assertBetween(np.std(asked), 0.04, 0.17)


def _nan_is_harmless(image):
    return predict(jnp.nan_to_num(image, nan=0.0))
