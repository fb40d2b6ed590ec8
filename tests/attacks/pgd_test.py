"""PGD against closed forms, enumeration and SciPy; restarts; broken models; BIM."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import optimize, special

from mspd_jax.attacks import bim, margin, pgd, random_start

SHAPE = (2, 3, 1)
IMAGE = np.random.default_rng(0).uniform(0.4, 0.6, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32) * 3
KEY = jax.random.key(0)


STATIC = ("predict", "norm", "steps", "restarts", "random_start", "loss")
# One compilation for all labels, weights and floats.
run = jax.jit(pgd, static_argnames=STATIC[1:])
run_function = jax.jit(pgd, static_argnames=STATIC)


def linear(weights, image):
    return weights @ image.reshape(-1)


def loss_at(weights, x, label):
    return -special.log_softmax(weights.astype(np.float64) @ x.ravel())[label]


class LinearModelTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2"), label=(0, 1))
    def test_two_classes_exact_worst_case(self, norm, label):
        gap = (WEIGHTS[label] - WEIGHTS[1 - label]).astype(np.float64)
        dual = np.linalg.norm(gap, {"linf": 1, "l2": 2}[norm])
        want = np.log1p(np.exp(-(gap @ IMAGE.ravel() - 0.2 * dual)))
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        options = {"norm": norm, "step_size": 0.1, "steps": 40}
        got = run(KEY, predict, IMAGE, label, eps=0.2, **options)
        np.testing.assert_allclose(got.loss, want, rtol=1e-5)

    @parameterized.parameters(0, 1, 2)
    def test_three_classes_worst_corner_by_enumeration(self, label):
        # A convex loss has its maximum over a box at one of the 64 corners.
        corners = itertools.product((-0.2, 0.2), repeat=6)
        want = max(loss_at(WEIGHTS, IMAGE.ravel() + c, label) for c in corners)
        predict = Partial(linear, jnp.array(WEIGHTS))
        got = run(KEY, predict, IMAGE, label, eps=0.2, steps=20, restarts=10)
        np.testing.assert_allclose(got.loss, want, rtol=1e-5)

    @parameterized.product(label=(0, 1), eps=(0.2, 1.3, 2.2))
    def test_l1_worst_case_is_a_fractional_knapsack(self, label, eps):
        # Each entry can move up to the edge of the box, at a gain per unit: the best
        # use of the budget takes the most rewarding entries first, the last in part.
        gap = (WEIGHTS[1 - label] - WEIGHTS[label]).astype(np.float64)
        image = IMAGE.ravel().astype(np.float64)
        gain, room, budget = gap @ image, np.where(gap > 0, 1 - image, image), eps
        for entry in np.argsort(-np.abs(gap)):
            used = min(budget, room[entry])
            gain, budget = gain + used * np.abs(gap[entry]), budget - used
        want = np.log1p(np.exp(gain))
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        # Long enough to undo a start at the far side of the ball. In the end steps go
        # back and forth between entries: a step is worth .003 * 4.8 units of loss.
        options = {"norm": "l1", "step_size": 0.003, "steps": 2500}
        got = run(KEY, predict, IMAGE, label, eps=eps, **options)
        np.testing.assert_allclose(got.loss, want, rtol=3e-3)
        self.assertLessEqual(float(got.loss), want * (1 + 1e-5))

    def test_target_reaches_the_convex_minimum(self):
        # Lowering the target's cross-entropy is a convex problem: SciPy solves it.
        bounds = [(v - 0.2, v + 0.2) for v in IMAGE.ravel()]
        best = optimize.minimize(
            lambda x: loss_at(WEIGHTS, x, 2), IMAGE.ravel(), bounds=bounds
        )
        predict = Partial(linear, jnp.array(WEIGHTS))
        got = run(KEY, predict, IMAGE, 0, eps=0.2, target=jnp.array(2), steps=40)
        self.assertAlmostEqual(float(got.loss), -best.fun, delta=1e-3)


def rows_of_restarts(loss, restarts):
    """End points of `pgd` that draws and does not move, and the one it keeps."""
    kept = pgd(
        KEY, wave, IMAGE, 0, eps=0.3, step_size=0.0, restarts=restarts, loss=loss
    )
    keys = [jax.random.fold_in(KEY, r) for r in range(restarts)]
    ends = [random_start(k, IMAGE, eps=0.3, norm="linf") for k in keys]
    return np.asarray(kept.image), np.asarray(ends)


def wave(image):
    return jnp.array(WEIGHTS) @ jnp.sin(9.0 * image.reshape(-1))


def flat(logits, label):
    """A loss at odds with success: large where no logit is."""
    return -jnp.sum(jnp.square(logits))


class RestartsTest(parameterized.TestCase):
    def test_success_goes_before_loss(self):
        kept, ends = rows_of_restarts(flat, 12)
        logits = np.asarray([wave(x) for x in ends], np.float64)
        wrong = np.argmax(logits, axis=1) != 0
        loss = -np.sum(logits**2, axis=1)
        # The draw with most loss is no success here, so that the order matters.
        self.assertFalse(wrong[np.argmax(loss)])
        best = max(range(12), key=lambda r: (wrong[r], loss[r]))
        np.testing.assert_allclose(kept, ends[best], atol=1e-6)

    def test_more_restarts_never_lose(self):
        attack = functools.partial(run_function, KEY, wave, IMAGE, 1, loss=margin)
        losses = [float(attack(eps=0.1, restarts=n).loss) for n in (1, 9)]
        self.assertEqual(losses, sorted(losses))
        self.assertLess(losses[0], losses[-1])

    def test_keys_give_different_starts(self):
        attack = functools.partial(run_function, eps=0.3, step_size=0.0, steps=1)
        one, other = (attack(jax.random.key(s), wave, IMAGE, 0).image for s in (0, 1))
        self.assertGreater(np.max(np.abs(one - other)), 0.05)


class LimitsTest(parameterized.TestCase):
    def test_nan_everywhere_returns_the_original_and_says_so(self):
        broken = pgd(KEY, lambda x: x.reshape(-1)[:3] * jnp.nan, IMAGE, 0, eps=0.1)
        np.testing.assert_array_equal(broken.image, IMAGE)
        self.assertEqual(broken.loss, -np.inf)

    def test_nan_on_half_the_ball_keeps_the_other_half(self):
        def half(image):
            x = image.reshape(-1)
            return jnp.where(x[0] > IMAGE[0, 0, 0], jnp.nan, x[:3])

        got = pgd(KEY, half, IMAGE, 0, eps=0.1, step_size=0.0, restarts=8)
        self.assertTrue(np.isfinite(got.loss))
        self.assertLess(got.image[0, 0, 0], IMAGE[0, 0, 0])

    @parameterized.parameters(
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"steps": 2.0}, "steps must be"),
        ({"restarts": 0}, "restarts must be"),
        ({"restarts": 2, "random_start": False}, "without a random start"),
        ({"norm": "l0"}, "norm must be one of linf, l2, l1; got 'l0'"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            pgd(KEY, wave, IMAGE, 0, eps=0.1, **options)

    def test_a_defense_may_differentiate_through_it(self):
        # The l2 end point moves with the weights of the model.
        def end(weights):
            attack = pgd(KEY, Partial(linear, weights), IMAGE, 0, eps=0.1, norm="l2")
            return attack.image[0, 0, 0]

        gradient = jax.grad(end)(jnp.array(WEIGHTS))
        self.assertTrue(np.all(np.isfinite(gradient)))
        self.assertGreater(np.max(np.abs(gradient)), 0)


PHOTO = np.random.default_rng(0).uniform(size=(3, 3, 1)).astype(np.float32)
SQUASHED = np.random.default_rng(1).normal(size=(3, 9)).astype(np.float32) * 2


def squashing(image):
    return jnp.tanh(jnp.array(SQUASHED) @ image.reshape(-1))


def squashing_slope(x, label):
    """Of the cross-entropy, by hand."""
    h = np.tanh(SQUASHED @ x.ravel())
    p = np.exp(h) / np.exp(h).sum()
    return (((p - np.eye(3)[label]) * (1 - h**2)) @ SQUASHED).reshape(x.shape)


def nearest_l1(x, eps):
    """The point of ball and box nearest to x; SciPy finds the multiplier."""

    def shrunk(t):
        change = x - PHOTO
        change = np.sign(change) * np.maximum(np.abs(change) - t, 0)
        return np.clip(PHOTO + change, 0, 1)

    def excess(t):
        return np.abs(shrunk(t) - PHOTO).sum() - eps

    return shrunk(0.0 if excess(0.0) <= 0 else optimize.brentq(excess, 0, 2))


class BimTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_linf_iteration_written_out_in_numpy(self, label):
        x = PHOTO.astype(np.float64)
        for _ in range(4):
            x = x + 0.03 * np.sign(squashing_slope(x, label))
            x = np.clip(np.clip(x, PHOTO - 0.05, PHOTO + 0.05), 0, 1)
        got = bim(KEY, squashing, PHOTO, label, eps=0.05, step_size=0.03, steps=4)
        np.testing.assert_allclose(got.image, x, atol=1e-6)

    def test_l2_iteration_written_out_in_numpy(self):
        x = PHOTO.astype(np.float64)
        for _ in range(4):
            step = squashing_slope(x, 1)
            x = x + 0.2 * step / np.linalg.norm(step)
            change = x - PHOTO
            x = PHOTO + change * min(1, 0.3 / np.linalg.norm(change))
            x = np.clip(x, 0, 1)
        got = bim(KEY, squashing, PHOTO, 1, eps=0.3, step_size=0.2, steps=4, norm="l2")
        np.testing.assert_allclose(got.image, x, atol=1e-5)

    def test_l1_iteration_written_out_in_numpy(self):
        # A step changes one of 9 entries, the one in which it gains most.
        x, moved, passed = PHOTO.astype(np.float64), [], 0
        for _ in range(6):
            slope = squashing_slope(x, 2)
            room = np.where(slope > 0, 1 - x, x)
            chosen = np.argmax(np.abs(slope) * np.minimum(room, 0.4))
            passed += chosen != np.argmax(np.abs(slope))
            moved.append(chosen)
            step = np.zeros(9)
            step[chosen] = 0.4 * np.sign(slope.flat[chosen])
            x = nearest_l1(x + step.reshape(PHOTO.shape), 0.9)
        # The box changed the choice, and the steps went to several entries.
        self.assertGreater(passed, 1)
        self.assertGreater(len(set(moved)), 2)
        got = bim(KEY, squashing, PHOTO, 2, eps=0.9, step_size=0.4, steps=6, norm="l1")
        np.testing.assert_allclose(got.image, x, atol=1e-5)

    def test_default_step_is_the_published_one(self):
        # 2/255 at 8/255 and 10 steps; in l2, where the end depends on every step.
        run = functools.partial(bim, KEY, squashing, PHOTO, 0, norm="l2")
        default = run(eps=8 / 255)
        stated = run(eps=8 / 255, step_size=2 / 255, steps=10)
        np.testing.assert_allclose(default.image, stated.image, atol=1e-7)
        other = run(eps=8 / 255, step_size=1.9 / 255, steps=10)
        self.assertGreater(np.max(np.abs(other.image - stated.image)), 1e-6)

    def test_key_does_not_matter(self):
        one = bim(KEY, squashing, PHOTO, 0, eps=0.1)
        other = bim(jax.random.key(1), squashing, PHOTO, 0, eps=0.1)
        np.testing.assert_array_equal(one.image, other.image)
