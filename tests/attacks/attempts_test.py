"""What is better than what, and the best of several attempts."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import better_of
from mspd_jax.attacks._attempts import Candidate, best_attempt, no_candidate

IMAGE = np.full((2, 1, 1), 0.5, np.float32)
# Losses and successes of attempts 0, ..., 4; the point of attempt n is n everywhere.
LOSSES = jnp.array([3.0, 1.0, np.nan, 2.0, 0.5])
SUCCESSES = jnp.array([False, True, True, True, False])


def attempt(number):
    return Candidate(jnp.full_like(IMAGE, number), LOSSES[number], SUCCESSES[number])


class BetterTest(parameterized.TestCase):
    @parameterized.parameters(
        (1.0, False, 2.0, False, 1),
        (2.0, False, 1.0, True, 1),
        (1.0, True, 2.0, False, 0),
        (1.0, True, np.nan, True, 0),
        (-np.inf, False, np.nan, True, 0),
        (1.0, True, 1.0, True, 0),
    )
    def test_success_goes_before_loss(self, loss, success, new, found, want):
        def at(number, loss, success):
            image = jnp.full((1,), float(number))
            return Candidate(image, jnp.array(loss), jnp.array(success))

        kept = better_of(at(1, new, found), at(0, loss, success))
        self.assertEqual(kept.image[0], want)

    def test_anything_finite_is_better_than_nothing(self):
        nothing = no_candidate(IMAGE)
        self.assertEqual(better_of(attempt(4), nothing).loss, 0.5)
        np.testing.assert_array_equal(better_of(attempt(2), nothing).image, IMAGE)


class BestAttemptTest(parameterized.TestCase):
    @parameterized.parameters(
        (0, 1, 0),
        (0, 2, 1),  # a success, with less loss
        (0, 5, 3),  # of three successes one has no loss, and one has most
        (1, 2, 1),
        (3, 2, 3),
        (4, 1, 4),
    )
    def test_by_success_then_by_loss(self, first, attempts, want):
        got = best_attempt(attempt, IMAGE, attempts=attempts, first=first)
        np.testing.assert_array_equal(got.image, jnp.full_like(IMAGE, want))
        self.assertEqual(got.loss, LOSSES[want])

    def test_the_first_is_traced(self):
        @jax.jit
        def run(first):
            return best_attempt(attempt, IMAGE, attempts=2, first=first)

        self.assertEqual([float(run(n).loss) for n in (0, 1, 3)], [1.0, 1.0, 2.0])
        self.assertEqual(run._cache_size(), 1)

    def test_nothing_finite_returns_the_image_and_says_so(self):
        got = best_attempt(attempt, IMAGE, attempts=1, first=2)
        np.testing.assert_array_equal(got.image, IMAGE)
        self.assertEqual(got.loss, -np.inf)

    def test_no_attempts_are_refused(self):
        with self.assertRaisesRegex(ValueError, "attempts must be"):
            best_attempt(attempt, IMAGE, attempts=0)
