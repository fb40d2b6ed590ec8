"""DeepFool against closed forms on linear models and a step-by-step numpy version."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import deepfool

KEY = jax.random.key(0)
SHAPE = (2, 3, 2)
SIZE = 12
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(5, SIZE)).astype(np.float32)
IMAGE = RNG.uniform(0.45, 0.55, SHAPE).astype(np.float32)
BIAS = -WEIGHTS @ IMAGE.ravel() - np.array([0.4, 0.28, 0.4, 0.0, 0.36], np.float32)
LABEL = jnp.array(3)
PUSH = 1e-4  # of the authors' code, at each step
DUAL = {"linf": 1, "l2": 2}
ORDER = {"linf": np.inf, "l2": 2}
run = jax.jit(deepfool, static_argnames=("norm", "steps", "candidates"))


def linear(parameters, image):
    weights, bias = parameters
    return weights @ image.reshape(-1) + bias


def wave(weights, image):
    return weights @ jnp.sin(5.0 * image.reshape(-1))


PREDICT = Partial(linear, (jnp.array(WEIGHTS), jnp.array(BIAS)))


def distances(norm):
    gaps = np.array([0.4, 0.28, 0.4, 0.0, 0.36])
    dual = np.linalg.norm(WEIGHTS[3] - WEIGHTS, DUAL[norm], axis=1)
    return gaps / np.where(dual > 0, dual, 1e-9)


def by_hand(norm, image, label, steps, overshoot):
    """The paper's algorithm in numpy, gradients written out: (end, steps taken)."""
    x, total, count = image.ravel().astype(np.float64), np.zeros(SIZE), 0
    for count in range(steps):  # noqa: B007
        point = np.clip(x + (1 + overshoot) * total, 0, 1)
        logits = WEIGHTS @ np.sin(5 * point)
        if np.argmax(logits) != label:
            break
        jacobian = WEIGHTS * 5 * np.cos(5 * point)
        moves = []
        for k in set(range(5)) - {label}:
            gap, normal = logits[k] - logits[label], jacobian[k] - jacobian[label]
            unit = normal / np.linalg.norm(normal) if norm == "l2" else np.sign(normal)
            moves.append((-gap / np.linalg.norm(normal, DUAL[norm]) + PUSH) * unit)
        total += min(moves, key=lambda move: np.linalg.norm(move, ORDER[norm]))
    return point, count


class DeepFoolTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2"), overshoot=(0.02, 0.5))
    def test_linear_model_needs_one_step(self, norm, overshoot):
        rival = np.argmin(np.delete(distances(norm), 3))
        rival = np.delete(np.arange(5), 3)[rival]
        normal = (WEIGHTS[rival] - WEIGHTS[3]).astype(np.float64)
        shape = normal / np.linalg.norm(normal) if norm == "l2" else np.sign(normal)
        want = IMAGE.ravel() + (1 + overshoot) * (distances(norm)[rival] + PUSH) * shape
        got = run(
            KEY, PREDICT, IMAGE, LABEL, eps=jnp.inf, norm=norm, overshoot=overshoot
        )
        np.testing.assert_allclose(got.image.ravel(), want, atol=1e-5)
        far = np.linalg.norm(want - IMAGE.ravel(), ORDER[norm])
        np.testing.assert_allclose(-got.loss, far, rtol=1e-4)

    @parameterized.parameters("linf", "l2")
    def test_curved_model_step_by_step(self, norm):
        predict = Partial(wave, jnp.array(WEIGHTS))
        rounds = []
        for seed in range(6):
            image = np.random.default_rng(seed).uniform(size=SHAPE).astype(np.float32)
            label = int(np.argmax(WEIGHTS @ np.sin(5 * image.ravel())))
            want, count = by_hand(norm, image, label, 50, 0.02)
            got = run(KEY, predict, image, jnp.array(label), eps=jnp.inf, norm=norm)
            np.testing.assert_allclose(got.image.ravel(), want, atol=2e-4)
            rounds.append(count)
        self.assertGreaterEqual(max(rounds), 3)

    def test_candidates_are_those_with_the_highest_logits(self):
        # With two, only class 1 is looked at, though another boundary is nearer.
        weights = WEIGHTS.copy()
        weights[0] = WEIGHTS[3] + 50.0 * (WEIGHTS[0] - WEIGHTS[3])
        bias = BIAS + (WEIGHTS - weights) @ IMAGE.ravel()
        predict = Partial(linear, (jnp.array(weights), jnp.array(bias)))
        reached = []
        for count in (2, 10):
            options = {"candidates": count, "norm": "l2", "steps": 1}
            got = run(KEY, predict, IMAGE, LABEL, eps=jnp.inf, **options)
            change = np.asarray(got.image - IMAGE).ravel()
            along = (weights - weights[3]) @ change / np.linalg.norm(change)
            size = np.linalg.norm(weights - weights[3], axis=1)
            reached.append(int(np.argmax(along / np.where(size > 0, size, 1.0))))
        self.assertEqual(reached, [1, 0])


class LimitsTest(parameterized.TestCase):
    @parameterized.parameters("linf", "l2")
    def test_proposal_is_in_the_ball(self, norm):
        least = 1.02 * (np.min(np.delete(distances(norm), 3)) + PUSH)
        for eps in (0.0, 0.5 * least, 1.1 * least):
            got = run(KEY, PREDICT, IMAGE, LABEL, eps=eps, norm=norm)
            far = np.linalg.norm((got.image - IMAGE).ravel(), ORDER[norm])
            self.assertLessEqual(far, eps + 1e-6)
            self.assertEqual(int(np.argmax(PREDICT(got.image))) != 3, eps > least)
            np.testing.assert_allclose(-got.loss, least, rtol=1e-4)

    @parameterized.parameters("linf", "l2")
    def test_misclassified_image_is_returned(self, norm):
        got = run(KEY, PREDICT, IMAGE, jnp.array(0), eps=0.3, norm=norm)
        np.testing.assert_array_equal(got.image, IMAGE)
        self.assertAlmostEqual(float(got.loss), 0.0, delta=1e-12)

    def test_flat_and_nan_models_return_the_original(self):
        for value, loss in ((0.0, -1.0), (np.nan, -np.inf)):
            broken = Partial(lambda v, x: v * x.reshape(-1)[:2], jnp.float32(value))
            predict = Partial(lambda f, x: f(x) + jnp.array([1.0, 0.0]), broken)
            got = run(KEY, predict, IMAGE, jnp.array(0), eps=0.1, steps=2)
            np.testing.assert_array_equal(got.image, IMAGE)
            self.assertEqual(got.loss, loss)

    @parameterized.parameters(
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"candidates": 1}, "candidates must be an integer of at least 2; got 1"),
        ({"norm": "l1"}, "norm must be one of"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            deepfool(KEY, PREDICT, IMAGE, LABEL, eps=0.1, **options)
