"""The smoothed step on a linear model, written out in numpy; and in chunks."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.preempt._mcgs import smoothing_noise
from mspd_jax.preempt._smooth import smoothed_step

SHAPE = (3, 4, 2)
EPS = {"linf": 8 / 255, "l2": 0.3}
WEIGHTS = np.random.default_rng(0).normal(size=(3, 24)).astype(np.float32)
IMAGE = np.random.default_rng(1).uniform(size=SHAPE).astype(np.float32)
KEY = jax.random.key(2)


def linear(weights, image):
    return weights @ image.ravel()


PREDICT = Partial(linear, jnp.asarray(WEIGHTS))


def noise_of(norm, count):
    numbers = jnp.arange(count)
    return smoothing_noise(KEY, numbers, SHAPE, eps=EPS[norm], norm=norm)


def by_hand(noise, sign, steps, norm):
    """The mean of the end points, in float64."""
    eps, total = EPS[norm], np.zeros(SHAPE)
    for u in np.asarray(noise, np.float64):
        z = np.clip(IMAGE + u, 0, 1)
        for _ in range(steps):
            logits = WEIGHTS.astype(np.float64) @ z.ravel()
            p = np.exp(logits - logits.max())
            slope = (WEIGHTS.T @ (p / p.sum() - np.eye(3)[1])).reshape(SHAPE)
            if norm == "linf":
                change = z + sign * eps * np.sign(slope) - IMAGE
                change = np.clip(change, -eps, eps)
            else:
                change = z + sign * eps * slope / np.linalg.norm(slope) - IMAGE
                change = change * min(1.0, eps / np.linalg.norm(change))
            z = np.clip(IMAGE + change, 0, 1)
        total += z
    return total / len(noise)


class SmoothedStepTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2"), direction=(-1, 1), steps=(1, 3))
    def test_mean_of_steps_by_hand(self, norm, direction, steps):
        noise = noise_of(norm, 5)
        got = smoothed_step(
            PREDICT,
            IMAGE,
            1,
            lambda numbers: noise[numbers],
            eps=EPS[norm],
            direction=direction,
            num_samples=5,
            chunk=5,
            steps=steps,
            norm=norm,
        )
        np.testing.assert_allclose(
            got, by_hand(noise, direction, steps, norm), atol=2e-6
        )

    @parameterized.parameters(1, 2, 5, 7, 9)
    def test_chunks_draw_each_number_once(self, chunk):
        def draw(numbers):
            return smoothing_noise(KEY, numbers, SHAPE, eps=EPS["linf"])

        options = {"eps": EPS["linf"], "direction": 1, "num_samples": 7}
        got = smoothed_step(PREDICT, IMAGE, 1, draw, chunk=chunk, **options)
        noise = noise_of("linf", 7)
        want = smoothed_step(
            PREDICT, IMAGE, 1, lambda numbers: noise[numbers], chunk=7, **options
        )
        np.testing.assert_allclose(got, want, atol=1e-6)

    @parameterized.parameters(
        ({"direction": 0}, "direction must be -1 or"),
        ({"norm": "l1"}, "norm must be one of linf, l2"),
        ({"num_samples": 0}, "at least 1, got 0 and 1"),
        ({"chunk": 0}, "at least 1, got 2 and 0"),
    )
    def test_bad_static_arguments(self, options, message):
        options = {"eps": 0.1, "direction": 1, "num_samples": 2, "chunk": 1} | options
        with self.assertRaisesRegex(ValueError, message):
            smoothed_step(
                PREDICT, IMAGE, 1, lambda numbers: noise_of("linf", 2), **options
            )
