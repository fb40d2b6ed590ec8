"""Carlini and Wagner's attack against closed forms, and its first step by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import cw, margin

KEY = jax.random.key(0)
SHAPE = (2, 3, 2)
SIZE = 12
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(5, SIZE)).astype(np.float32)
IMAGE = RNG.uniform(0.3, 0.7, SHAPE).astype(np.float32)
# How far class 3 is ahead of each class; class 1 is the nearest in both norms.
GAPS = np.array([0.6, 0.2, 0.6, 0.0, 0.6], np.float32)
BIAS = -WEIGHTS @ IMAGE.ravel() - GAPS
LABEL = jnp.array(3)
DUAL = {"linf": 1, "l2": 2}
ORDER = {"linf": np.inf, "l2": 2}
run = jax.jit(cw, static_argnames=("norm", "steps", "searches"))


def linear(parameters, image):
    weights, bias = parameters
    return weights @ image.reshape(-1) + bias


PREDICT = Partial(linear, (jnp.array(WEIGHTS), jnp.array(BIAS)))


def length(x, norm, image=IMAGE):
    change = np.asarray(x, np.float64) - image
    return np.linalg.norm(change.ravel(), ORDER[norm])


def closest(norm, rival=1, lead=0.0):
    """The least change after which `rival` is ahead of the label by `lead`."""
    return (GAPS[rival] + lead) / np.linalg.norm(
        WEIGHTS[3] - WEIGHTS[rival], DUAL[norm]
    )


class LinearModelTest(parameterized.TestCase):
    # In linf tau falls by a tenth at a time, and what lies between is found by chance.
    @parameterized.parameters(("l2", 0.02), ("linf", 0.15))
    def test_comes_close_to_the_smallest_change(self, norm, slack):
        want = min(closest(norm, k) for k in (0, 1, 2, 4))
        options = {"norm": norm, "steps": 500, "learning_rate": 0.003}
        for eps in (jnp.inf, 1.5 * want):
            got = run(KEY, PREDICT, IMAGE, LABEL, eps=eps, **options)
            self.assertNotEqual(np.argmax(PREDICT(got.image)), 3)
            self.assertBetween(-float(got.loss), want * (1 - 1e-5), want * (1 + slack))
            np.testing.assert_allclose(length(got.image, norm), -got.loss, rtol=1e-4)

    def test_kappa_asks_for_a_margin(self):
        options = {"norm": "l2", "steps": 500, "learning_rate": 0.003, "kappa": 0.3}
        got = run(KEY, PREDICT, IMAGE, LABEL, eps=jnp.inf, **options)
        self.assertGreater(margin(PREDICT(got.image), LABEL), 0.3 - 1e-5)
        want = closest("l2", lead=0.3)
        self.assertBetween(-float(got.loss), want * (1 - 1e-5), want * 1.02)

    @parameterized.parameters(("l2", 0.02), ("linf", 0.15))
    def test_target(self, norm, slack):
        # One pixel for each class; class 1 is nearer than the target, class 2.
        gaps = np.array([0.6, 0.3, 0.35, 0.0, 0.6], np.float32)
        weights = np.eye(5, SIZE, dtype=np.float32)
        predict = Partial(
            linear, (jnp.array(weights), jnp.array(-weights @ IMAGE.ravel() - gaps))
        )
        options = {"norm": norm, "steps": 500, "learning_rate": 0.003}
        got = run(
            KEY, predict, IMAGE, LABEL, eps=jnp.inf, target=jnp.array(2), **options
        )
        want = 0.35 / {"l2": 2**0.5, "linf": 2}[norm]
        self.assertEqual(np.argmax(predict(got.image)), 2)
        self.assertBetween(-float(got.loss), want * (1 - 1e-5), want * (1 + slack))

    @parameterized.product(norm=("l2", "linf"), steps=(1, 4))
    def test_first_steps_by_hand(self, norm, steps):
        # Adam in numpy. The class to reach is too far away, so each step has more
        # margin than the one before, and the last is kept; its loss is the margin.
        normal = (WEIGHTS[1] - WEIGHTS[0]).astype(np.float64).reshape(SHAPE)
        weights = jnp.array(WEIGHTS[:2])
        bias = -weights @ IMAGE.ravel() - jnp.array([0.0, 5.0])
        got = run(
            KEY,
            Partial(linear, (weights, bias)),
            IMAGE,
            jnp.array(0),
            eps=jnp.inf,
            norm=norm,
            steps=steps,
            learning_rate=0.05,
            c=0.2,
        )
        w = np.arctanh(2 * IMAGE.astype(np.float64) - 1)
        mean, square = np.zeros(SHAPE), np.zeros(SHAPE)
        for count in range(1, steps + 1):
            x = (np.tanh(w) + 1) / 2
            # In linf tau = 1 at eps = inf: no change is as large.
            far = 2 * (x - IMAGE) if norm == "l2" else 0.0
            gradient = (far - 0.2 * normal) * 2 * x * (1 - x)
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            size = np.sqrt(square / (1 - 0.999**count)) + 1e-8
            w = w - 0.05 * mean / (1 - 0.9**count) / size
        want = (np.tanh(w) + 1) / 2
        np.testing.assert_allclose(got.image, want, atol=2e-5)
        gap = np.sum(normal * (want - IMAGE)) - 5.0
        np.testing.assert_allclose(got.loss, gap, rtol=1e-4)


class SearchTest(parameterized.TestCase):
    options = {"norm": "l2", "steps": 100, "learning_rate": 0.01}

    def test_too_small_a_weight_is_raised(self):
        # At c = 0.001 the distance wins.
        attack = {"eps": jnp.inf, "c": 1e-3, **self.options}
        ends = [
            run(KEY, PREDICT, IMAGE, LABEL, searches=n, **attack).image for n in (1, 8)
        ]
        found = [int(np.argmax(PREDICT(x))) != 3 for x in ends]
        self.assertEqual(found, [False, True])

    def test_too_large_a_weight_is_halved(self):
        attack = {"eps": jnp.inf, "c": 10.0, **self.options}
        far, near = (
            -float(run(KEY, PREDICT, IMAGE, LABEL, searches=n, **attack).loss)
            for n in (1, 8)
        )
        self.assertLess(near, 0.99 * far)
        self.assertGreater(near, closest("l2") * (1 - 1e-5))


class LimitsTest(parameterized.TestCase):
    @parameterized.parameters("linf", "l2")
    def test_proposal_is_in_the_ball_and_the_box(self, norm):
        image = IMAGE.copy()
        image[0], image[1, 0] = 0.0, 1.0
        bias = jnp.array(-WEIGHTS @ image.ravel() - GAPS)
        predict = Partial(linear, (jnp.array(WEIGHTS), bias))
        for eps in (0.0, 0.02, 0.3):
            got = run(KEY, predict, image, LABEL, eps=eps, norm=norm)
            self.assertLessEqual(length(got.image, norm, image), eps + 1e-6)
            self.assertGreaterEqual(np.min(got.image), 0.0)
            self.assertLessEqual(np.max(got.image), 1.0)
            self.assertTrue(np.isfinite(got.loss))

    @parameterized.parameters("linf", "l2")
    def test_misclassified_image_is_returned(self, norm):
        image = IMAGE.copy()
        image[0] = 1.0
        got = run(KEY, PREDICT, image, jnp.array(0), eps=0.3, norm=norm)
        self.assertNotEqual(np.argmax(PREDICT(image)), 0)
        np.testing.assert_array_equal(got.image, image)
        self.assertAlmostEqual(float(got.loss), 0.0, delta=1e-12)

    def test_nan_everywhere_returns_the_original_and_says_so(self):
        broken = Partial(lambda x: x.reshape(-1)[:3] * jnp.nan)
        got = run(KEY, broken, IMAGE, jnp.array(0), eps=0.1, steps=2)
        np.testing.assert_array_equal(got.image, IMAGE)
        self.assertEqual(got.loss, -np.inf)

    @parameterized.parameters(
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"searches": 0}, "searches must be"),
        ({"norm": "l1"}, "norm must be one of"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            cw(KEY, PREDICT, IMAGE, LABEL, eps=0.1, **options)
