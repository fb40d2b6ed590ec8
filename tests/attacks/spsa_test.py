"""SPSA: its estimate against closed forms, its ascent, and its number of queries."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import _spsa, spsa

SHAPE = (4, 3, 2)
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(2, 24)).astype(np.float32)
RISE = (WEIGHTS[1] - WEIGHTS[0]).astype(np.float64)
KEY = jax.random.key(0)


def linear(weights, image):
    return weights @ image.reshape(-1)


PREDICT = Partial(linear, jnp.array(WEIGHTS))
run = jax.jit(
    spsa, static_argnames=("norm", "steps", "samples", "restarts", "chunk", "predict")
)


def plane(x):
    return jnp.array(RISE, jnp.float32) @ x.reshape(-1)


class EstimateTest(parameterized.TestCase):
    def test_mean_of_a_linear_function_is_its_gradient(self):
        # Each sample is v (v . w): entry j has mean w_j and variance |w|^2 - w_j^2.
        # The sum over j of the squared errors, each in its standard deviations, is
        # about chi-squared of 24 degrees: above 80 once in 10^7 (normal entries).
        samples = 20_000
        got = _spsa.estimate_gradient(
            KEY, plane, jnp.array(IMAGE), delta=0.01, samples=samples, chunk=500
        )
        error = np.asarray(got, np.float64).ravel() - RISE
        variance = (RISE @ RISE - RISE**2) / samples
        self.assertLess(np.sum(error**2 / variance), 80)
        # Nor is it exact: it is an estimate.
        self.assertGreater(np.sum(error**2 / variance), 4)

    @parameterized.parameters((1, 0.01), (7, 0.3))
    def test_one_sample_by_hand(self, seed, delta):
        # Of x^3 a two-sided difference is 3 x^2 v + delta^2 v^3, v^3 = v.
        x = jnp.full((1, 1, 1), 0.5)
        got = _spsa.estimate_gradient(
            jax.random.key(seed),
            lambda x: jnp.sum(x**3),
            x,
            delta=delta,
            samples=3,
            chunk=3,
        )
        np.testing.assert_allclose(got, 0.75 + delta**2, rtol=1e-3)

    def test_bad_pairs_count_as_zero(self):
        def function(x):
            # Nothing but NaN where the first entry rises.
            return jnp.where(x[0, 0, 0] > IMAGE[0, 0, 0], jnp.nan, jnp.sum(x))

        got = _spsa.estimate_gradient(
            KEY, function, jnp.array(IMAGE), delta=0.1, samples=8, chunk=4
        )
        # One side of each pair is NaN.
        np.testing.assert_array_equal(got, np.zeros(SHAPE))


class SpsaTest(parameterized.TestCase):
    # Adam's steps are nearly signs, which is not the best direction in l2.
    @parameterized.parameters(("linf", 0.9), ("l2", 0.6))
    def test_two_classes_come_near_the_worst_case(self, norm, share):
        start = RISE @ IMAGE.ravel()
        rise = 0.1 * np.linalg.norm(RISE, {"linf": 1, "l2": 2}[norm])
        got = run(KEY, PREDICT, IMAGE, 0, eps=0.1, norm=norm, steps=60, samples=64)
        self.assertGreater(got.loss, start + share * rise)
        self.assertLess(got.loss, start + rise + 1e-5)
        np.testing.assert_allclose(RISE @ got.image.ravel(), got.loss, rtol=1e-4)

    def test_one_step_is_the_learning_rate_along_the_signs(self):
        # Adam's first step is g / |g|.
        got = run(KEY, PREDICT, IMAGE, 0, eps=0.1, steps=1, learning_rate=0.02)
        np.testing.assert_allclose(np.abs(got.image - IMAGE), 0.02, atol=1e-5)

    def test_target_of_two_is_the_other_class(self):
        away = run(KEY, PREDICT, IMAGE, 0, eps=0.1, steps=5)
        towards = run(KEY, PREDICT, IMAGE, 0, eps=0.1, steps=5, target=1)
        np.testing.assert_allclose(away.image, towards.image, atol=1e-6)

    @parameterized.parameters((8, 3), (7, 4))
    def test_queries_and_chunks(self, samples, chunk):
        calls = []

        def predict(x):
            jax.debug.callback(lambda x: calls.append(1), x)
            return PREDICT(x)

        options = {"eps": 0.1, "steps": 3, "samples": samples}
        got = run(KEY, predict, IMAGE, 0, chunk=chunk, **options)
        jax.block_until_ready(got)
        jax.effects_barrier()
        self.assertLen(calls, 2 * 3 * samples + 1)

    def test_restarts_in_parts(self):
        options = {"eps": 0.1, "steps": 2, "samples": 4}
        attack = functools.partial(run, KEY, PREDICT, IMAGE, 0, **options)
        parts = [attack(first=number) for number in range(3)]
        losses = [float(part.loss) for part in parts]
        self.assertGreater(np.ptp(losses), 0.01)
        whole = attack(restarts=3)
        np.testing.assert_allclose(whole.loss, max(losses), rtol=1e-5)
        best = parts[np.argmax(losses)].image
        np.testing.assert_allclose(whole.image, best, atol=1e-6)

    def test_nan_everywhere_returns_the_original(self):
        predict = Partial(lambda x: x.reshape(-1)[:3] * jnp.nan)
        got = run(KEY, predict, IMAGE, 0, eps=0.1, steps=2, samples=2)
        np.testing.assert_array_equal(got.image, IMAGE)
        self.assertEqual(got.loss, -np.inf)

    @parameterized.parameters(
        ({"steps": 0}, "steps must be"),
        ({"samples": 0}, "samples must be"),
        ({"chunk": 0}, "chunk must be"),
        ({"restarts": 0}, "restarts must be"),
        ({"norm": "l1"}, "norm must be"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            spsa(KEY, PREDICT, IMAGE, 0, eps=0.1, **options)
