"""Auto-PGD against closed forms and SciPy; targets, restarts, broken models."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import optimize, special

from mspd_jax.attacks import apgd, apgd_targeted, fooled, margin

SHAPE = (3, 3, 2)
SIZE = 18
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(5, SIZE)).astype(np.float32) * 3
KEY = jax.random.key(0)
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}

STATIC = ("norm", "steps", "restarts", "shrinking", "loss")
run = jax.jit(apgd, static_argnames=STATIC)


def linear(weights, image):
    return weights @ image.reshape(-1)


def wave(image):
    return jnp.array(WEIGHTS) @ jnp.sin(9.0 * image.reshape(-1))


def greedy(weights, center, eps, norm):
    """The largest weights @ change within ball and box, l2 without the box."""
    room = np.where(weights > 0, 1 - center, center)
    size = np.abs(weights)
    if norm == "linf":
        return np.sum(size * np.minimum(room, eps))
    if norm == "l2":
        return eps * np.linalg.norm(weights)
    gain = 0.0
    for i in np.argsort(-size):  # spend the budget where it buys most
        gain += size[i] * min(room[i], eps)
        eps -= min(room[i], eps)
    return gain


def length(x, norm):
    change = np.asarray(x, np.float64) - np.asarray(IMAGE, np.float64)
    return np.linalg.norm(change.ravel(), ORDER[norm])


class LinearModelTest(parameterized.TestCase):
    # In l1 steps are never along less than two pixels once the best point has changed
    # two, so that budgets which one pixel should take alone are not spent to the last.
    @parameterized.product(
        case=(("linf", 0.1), ("linf", 0.6), ("l2", 0.2), ("l1", 1.5), ("l1", 2.5)),
        label=(0, 1),
    )
    def test_two_classes_exact_worst_case(self, case, label):
        norm, eps = case
        gap = (WEIGHTS[1 - label] - WEIGHTS[label]).astype(np.float64)
        center = IMAGE.ravel().astype(np.float64)
        want = gap @ center + greedy(gap, center, eps, norm)
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        got = run(KEY, predict, IMAGE, label, eps=eps, norm=norm, loss=margin)
        np.testing.assert_allclose(got.loss, want, rtol=1e-4)
        np.testing.assert_allclose(got.loss, gap @ got.image.ravel(), rtol=1e-4)
        self.assertLessEqual(length(got.image, norm), eps + 1e-6)
        self.assertBetween(np.min(got.image), 0.0, 1.0)
        self.assertBetween(np.max(got.image), 0.0, 1.0)

    def test_target_reaches_the_convex_minimum(self):
        # Lowering the target's cross-entropy is a convex problem: SciPy solves it.
        bounds = [(v - 0.1, v + 0.1) for v in IMAGE.ravel()]
        best = optimize.minimize(
            lambda x: -special.log_softmax(WEIGHTS @ x)[2], IMAGE.ravel(), bounds=bounds
        )
        predict = Partial(linear, jnp.array(WEIGHTS))
        got = run(KEY, predict, IMAGE, 0, eps=0.1, target=jnp.array(2))
        self.assertAlmostEqual(float(got.loss), -best.fun, delta=1e-3)

    @parameterized.parameters((False,), (True,))
    def test_success_in_a_wider_l1_ball_does_not_count(self, shrinking):
        # One pixel would have to move by 0.4, and may by 0.2 or, at first, by 0.6.
        def predict(image):
            return jnp.stack([image[1, 1, 0] - IMAGE[1, 1, 0] + 0.4, jnp.zeros(())])

        options = {"norm": "l1", "shrinking": shrinking, "loss": margin}
        got = apgd(KEY, predict, jnp.array(IMAGE), 0, eps=0.2, steps=20, **options)
        self.assertLessEqual(length(got.image, "l1"), 0.2 + 1e-6)
        self.assertAlmostEqual(float(got.loss), -float(predict(got.image)[0]), places=6)
        self.assertLess(got.loss, -0.199)


class RestartsTest(parameterized.TestCase):
    def test_restarts_in_parts_are_the_whole(self):
        attack = jax.jit(
            lambda first: apgd(KEY, wave, IMAGE, 0, eps=0.4, steps=3, first=first)
        )
        parts = [attack(first) for first in range(5)]
        whole = apgd(KEY, wave, jnp.array(IMAGE), 0, eps=0.4, steps=3, restarts=5)
        wrong = [bool(fooled(wave(part.image), 0)) for part in parts]
        best = max(range(5), key=lambda i: (wrong[i], parts[i].loss))
        self.assertNotEqual(best, 0)
        np.testing.assert_allclose(whole.image, parts[best].image, atol=1e-6)

    def test_keys_give_different_starts(self):
        def flat(image):
            return 0.0 * image.reshape(-1)[:3]

        one, other = (
            run(jax.random.key(s), Partial(flat), IMAGE, 0, eps=0.3, steps=1).image
            for s in (0, 1)
        )
        self.assertGreater(np.max(np.abs(one - other)), 0.05)


class LimitsTest(parameterized.TestCase):
    @parameterized.parameters("linf", "l2", "l1")
    def test_nan_everywhere_returns_the_original_and_says_so(self, norm):
        def broken(image):
            return image.reshape(-1)[:5] * jnp.nan

        image = jnp.array(IMAGE)
        for attack in (apgd, apgd_targeted):
            got = attack(KEY, broken, image, 0, eps=0.1, norm=norm, steps=5)
            np.testing.assert_array_equal(got.image, IMAGE)
            self.assertEqual(got.loss, -np.inf)

    def test_nan_on_half_the_ball_keeps_the_other_half(self):
        def half(image):
            x = image.reshape(-1)
            return jnp.where(x[0] > IMAGE[0, 0, 0], jnp.nan, x[:3])

        got = run(KEY, Partial(half), IMAGE, 0, eps=0.1, steps=10, restarts=8)
        self.assertTrue(np.isfinite(got.loss))
        self.assertLess(got.image[0, 0, 0], IMAGE[0, 0, 0])

    @parameterized.parameters(
        (apgd, {"steps": 0}, "steps must be an integer of at least 1; got 0"),
        (apgd, {"restarts": 0}, "restarts must be"),
        (apgd, {"norm": "l3"}, "norm must be one of linf, l2, l1; got 'l3'"),
        (apgd, {"shrinking": True}, "shrinking is for norm l1 only; got norm 'linf'"),
        (apgd_targeted, {"targets": 0}, "targets must be"),
        (apgd_targeted, {"restarts": 1.0}, "restarts must be"),
        (apgd_targeted, {"attempts": 0}, "attempts must be"),
    )
    def test_bad_static_arguments(self, attack, options, message):
        with self.assertRaisesRegex(ValueError, message):
            attack(KEY, wave, IMAGE, 0, eps=0.1, **options)

    @parameterized.parameters("l2", "l1")
    def test_a_defense_may_differentiate_through_it(self, norm):
        def end(weights):
            predict = Partial(linear, weights)
            options = {"norm": norm, "steps": 5}
            got = apgd(KEY, predict, jnp.array(IMAGE), 0, eps=0.3, **options)
            return got.loss

        gradient = jax.jit(jax.grad(end))(jnp.array(WEIGHTS))
        self.assertTrue(np.all(np.isfinite(gradient)))
        self.assertGreater(np.max(np.abs(gradient)), 0)
