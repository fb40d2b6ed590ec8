"""How often certificates are wrong where the truth is known in closed form.

The classifier is linear: under noise it names class 0 with probability
Phi(margin / sigma), and its exact certified radius is the margin itself.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import stats

from mspd_jax.smoothing import (
    ABSTAIN,
    certify_votes,
    predict_votes,
    smoothed_votes,
    stopping_plan,
)
from mspd_jax.smoothing._certificate import lower_bound

SIGMA = 0.5
REPEATS = 10_000
IMAGE = jnp.full((1, 1, 1), 0.5)


def threshold(limit, image):
    return jnp.array([1.0, -1.0]) * (image.reshape(()) - limit)


@functools.partial(jax.jit, static_argnames="chunk")
def repeat(key, predict, plan, *, chunk):
    """The votes of one image, again and again, each time with another key."""
    keys = jax.random.split(key, REPEATS)
    return jax.vmap(
        lambda k: smoothed_votes(
            k, predict, IMAGE, 0, sigma=SIGMA, plan=plan, chunk=chunk
        )
    )(keys)


def certificates(seed, *, margin, alpha, num_samples, selection=1, **options):
    """Certificates of an image `margin` inside class 0."""
    plan = stopping_plan(
        selection=selection, estimation=num_samples, sigma=SIGMA, alpha=alpha, **options
    )
    predict = Partial(threshold, jnp.float32(0.5 - margin))
    votes = repeat(jax.random.key(seed), predict, plan, chunk=num_samples // 5)
    votes = jax.tree.map(np.asarray, votes)
    return votes, certify_votes(
        votes.selection,
        votes.estimation,
        num_samples=num_samples,
        sigma=SIGMA,
        alpha=alpha,
    )


def wrong(certificate, margin):
    other = (certificate.label != ABSTAIN) & (certificate.label != 0)
    return np.sum(other | (certificate.radius > margin))


def tightest(num_samples, alpha):
    """A margin at which a correct bound errs almost as often as it may, and that rate.

    p just below the bound of v votes: wrong iff v or more agree, P(Bin(n, p) >= v).
    """
    votes = int(0.8 * num_samples)
    p = lower_bound(votes, num_samples, alpha=alpha) - 1e-4
    return SIGMA * stats.norm.ppf(p), stats.binom.sf(votes - 1, num_samples, p)


class CoverageTest(parameterized.TestCase):
    """Each count of wrong certificates: false alarm 1e-6 by binomial quantiles."""

    @parameterized.parameters((100, 0.05), (100, 0.001))
    def test_wrong_as_often_as_allowed(self, num_samples, alpha):
        margin, rate = tightest(num_samples, alpha)
        self.assertBetween(rate, 0.98 * alpha, alpha)
        _, got = certificates(0, margin=margin, alpha=alpha, num_samples=num_samples)
        count = wrong(got, margin)
        self.assertLessEqual(count, stats.binom.ppf(1 - 1e-6, REPEATS, alpha))
        # And not too rarely: where the one selection vote is right, with probability p,
        # it is as often as exact arithmetic says. So the noise is what it should be.
        right = stats.norm.cdf(margin / SIGMA) * rate
        self.assertGreaterEqual(count, stats.binom.ppf(1e-6, REPEATS, right))
        self.assertGreater(np.mean(got.label == 0), 0.2)

    def test_this_test_can_fail(self):
        # A bound at three times alpha is caught.
        margin, _ = tightest(100, 0.15)
        _, got = certificates(0, margin=margin, alpha=0.15, num_samples=100)
        limit = stats.binom.ppf(1 - 1e-6, REPEATS, 0.05)
        self.assertGreater(wrong(got, margin), limit)

    @parameterized.parameters(0.05, 0.001)
    def test_wrong_class(self, alpha):
        # Almost a tie: one selection vote takes the wrong class half of the time, and
        # whatever is then certified is wrong.
        margin = 1e-3
        _, got = certificates(1, margin=margin, alpha=alpha, num_samples=100)
        limit = stats.binom.ppf(1 - 1e-6, REPEATS, alpha)
        self.assertLessEqual(wrong(got, margin), limit)
        if alpha == 0.05:
            self.assertGreater(np.sum(got.label == 1), 0)

    @parameterized.product(
        options=(
            {"radius": 0.2},
            {"radius": 0.35},
            {"futility": 0.3},
            {"radius": 0.3, "futility": 0.3},
            {"known_label": True},
        ),
        alpha=(0.05, 0.001),
    )
    def test_early_stopping(self, options, alpha):
        margin, _ = tightest(100, alpha)
        votes, got = certificates(
            2, margin=margin, alpha=alpha, num_samples=100, rounds=20, **options
        )
        count = wrong(got, margin)
        self.assertLessEqual(count, stats.binom.ppf(1 - 1e-6, REPEATS, alpha))
        self.assertGreater(np.mean(votes.drawn < 100), 0.02)
        # Sharper, and without chance: never more than the full run of the same noise.
        _, full = certificates(2, margin=margin, alpha=alpha, num_samples=100, rounds=1)
        self.assertTrue(np.all(got.radius <= full.radius))


class PredictionCoverageTest(parameterized.TestCase):
    def test_wrong_class(self):
        # A tie almost: predictions of class 1 are wrong. False alarm 1e-6.
        votes, _ = certificates(4, margin=1e-3, alpha=0.05, num_samples=100, rounds=1)
        got = predict_votes(votes.estimation, num_samples=100, alpha=0.05)
        limit = stats.binom.ppf(1 - 1e-6, REPEATS, 0.05)
        self.assertLessEqual(np.sum(got.label == 1), limit)
        self.assertGreater(np.sum(got.label == 1), 0)
