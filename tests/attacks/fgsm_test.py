"""FGSM and FFGSM against the closed forms of two classes and a linear model."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import ffgsm, fgsm

SHAPE = (3, 3, 2)
WEIGHTS = np.random.default_rng(0).normal(size=(2, 18)).astype(np.float32)


def linear(weights, image):
    return weights @ image.reshape(-1)


PREDICT = Partial(linear, jnp.array(WEIGHTS))
KEY = jax.random.key(0)
GRAY = np.random.default_rng(0).uniform(0.4, 0.6, SHAPE).astype(np.float32)
RISE = (WEIGHTS[1] - WEIGHTS[0]).reshape(SHAPE)  # raises the loss of label 0


def worst_loss(image, label, eps, norm):
    """Exact: the gap of the logits falls by eps times the dual norm of its weights."""
    gap = (WEIGHTS[label] - WEIGHTS[1 - label]).astype(np.float64)
    dual = np.linalg.norm(gap, {"linf": 1, "l2": 2}[norm])
    return np.log1p(np.exp(-(gap @ image.ravel() - eps * dual)))


class FgsmTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2"), label=(0, 1))
    def test_linear_model_exact_worst_case(self, norm, label):
        # In the middle of the box, so that only the ball binds.
        image = np.random.default_rng(1).uniform(0.4, 0.6, SHAPE).astype(np.float32)
        got = fgsm(KEY, PREDICT, image, label, eps=0.1, norm=norm)
        want = worst_loss(image, label, 0.1, norm)
        np.testing.assert_allclose(got.loss, want, rtol=1e-5)

    def test_linear_model_exact_worst_case_in_the_box(self):
        # Every linear function on a box has its maximum where each pixel is extreme.
        image = np.random.default_rng(1).uniform(size=SHAPE).astype(np.float32)
        image[0], image[1] = 0.0, 1.0
        up = (WEIGHTS[1] > WEIGHTS[0]).reshape(SHAPE)
        want = np.where(up, np.minimum(image + 0.2, 1), np.maximum(image - 0.2, 0))
        got = fgsm(KEY, PREDICT, image, jnp.array(0), eps=0.2)
        np.testing.assert_allclose(got.image, want, atol=1e-6)

    @parameterized.parameters("linf", "l2")
    def test_target_is_approached(self, norm):
        # With two classes, away from one is towards the other.
        image = np.full(SHAPE, 0.5, np.float32)
        away = fgsm(KEY, PREDICT, image, 0, eps=0.1, norm=norm)
        towards = fgsm(KEY, PREDICT, image, 0, eps=0.1, norm=norm, target=jnp.array(1))
        np.testing.assert_allclose(away.image, towards.image, atol=1e-6)
        logits = np.asarray(PREDICT(towards.image), np.float64)
        want = logits[1] - np.logaddexp(*logits)
        np.testing.assert_allclose(towards.loss, want, rtol=1e-4)

    def test_unknown_norm(self):
        with self.assertRaisesRegex(ValueError, "norm must be one of"):
            fgsm(KEY, PREDICT, np.zeros(SHAPE, np.float32), 0, eps=0.1, norm="l0")


def ends(norm="linf", **options):
    def one(key):
        return ffgsm(key, PREDICT, GRAY, 0, eps=0.1, norm=norm, **options).image

    images = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 500))
    return np.asarray(images) - GRAY


class FfgsmTest(parameterized.TestCase):
    def test_uniform_start_and_the_papers_step(self):
        # From u in [-eps, eps] a step of 1.25 eps uphill ends at
        # min(u + 1.25 eps, eps): the border for u > -eps / 4, a share of 5/8. Of
        # 500 * 18 = 9000 entries: standard deviation 0.0051, 5 of them, one test in
        # 1.7 million fails by chance; as for the mean below.
        along = ends() * np.sign(RISE)
        self.assertLessEqual(np.max(along), 0.1 + 1e-6)
        self.assertGreaterEqual(np.min(along), 0.025 - 1e-6)
        self.assertAlmostEqual(np.mean(along > 0.1 - 1e-6), 5 / 8, delta=0.026)
        inside = along[along < 0.1 - 1e-6]  # uniform on [eps / 4, eps)
        error = 5 * 0.075 / np.sqrt(12 * len(inside))
        self.assertAlmostEqual(np.mean(inside), 0.0625, delta=error)

    def test_long_step_is_the_worst_case(self):
        change = ends(step_size=0.2)
        worst = np.broadcast_to(0.1 * np.sign(RISE), change.shape)
        np.testing.assert_allclose(change, worst, atol=1e-6)

    def test_l2_ends_on_the_ball_and_uphill(self):
        # From z in the ball to the sphere, past its pole or not.
        change = ends("l2").reshape(500, -1)
        length = np.linalg.norm(change, axis=1)
        self.assertLessEqual(np.max(length), 0.1 + 1e-6)
        self.assertGreater(np.mean(length > 0.1 - 1e-6), 0.5)
        cosine = change @ RISE.ravel() / length / np.linalg.norm(RISE)
        self.assertGreater(np.min(cosine), 0)

    def test_loss_and_target(self):
        key = jax.random.key(3)
        away = ffgsm(key, PREDICT, GRAY, 0, eps=0.1)
        logits = np.asarray(PREDICT(away.image), np.float64)
        want = np.logaddexp(*logits) - logits[0]
        np.testing.assert_allclose(away.loss, want, rtol=1e-5)
        # With two classes, away from one is towards the other.
        towards = ffgsm(key, PREDICT, GRAY, 0, eps=0.1, target=jnp.array(1))
        np.testing.assert_allclose(away.image, towards.image, atol=1e-6)

    def test_unknown_norm(self):
        with self.assertRaisesRegex(ValueError, "norm must be one of"):
            ffgsm(jax.random.key(0), PREDICT, GRAY, 0, eps=0.1, norm="l1")
