"""BIM is the written-out iteration from the image itself."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import optimize

from mspd_jax.attacks import bim

IMAGE = np.random.default_rng(0).uniform(size=(3, 3, 1)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 9)).astype(np.float32) * 2
KEY = jax.random.key(0)


def predict(image):
    return jnp.tanh(jnp.array(WEIGHTS) @ image.reshape(-1))


def gradient(x, label):
    """Of the cross-entropy, by hand."""
    h = np.tanh(WEIGHTS @ x.ravel())
    p = np.exp(h) / np.exp(h).sum()
    return (((p - np.eye(3)[label]) * (1 - h**2)) @ WEIGHTS).reshape(x.shape)


def nearest_l1(x, eps):
    """The point of ball and box nearest to x; SciPy finds the multiplier."""

    def shrunk(t):
        change = x - IMAGE
        change = np.sign(change) * np.maximum(np.abs(change) - t, 0)
        return np.clip(IMAGE + change, 0, 1)

    def excess(t):
        return np.abs(shrunk(t) - IMAGE).sum() - eps

    return shrunk(0.0 if excess(0.0) <= 0 else optimize.brentq(excess, 0, 2))


class BimTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2)
    def test_linf_iteration_written_out_in_numpy(self, label):
        x = IMAGE.astype(np.float64)
        for _ in range(4):
            x = x + 0.03 * np.sign(gradient(x, label))
            x = np.clip(np.clip(x, IMAGE - 0.05, IMAGE + 0.05), 0, 1)
        got = bim(KEY, predict, IMAGE, label, eps=0.05, step_size=0.03, steps=4)
        np.testing.assert_allclose(got.image, x, atol=1e-6)

    def test_l2_iteration_written_out_in_numpy(self):
        x = IMAGE.astype(np.float64)
        for _ in range(4):
            step = gradient(x, 1)
            x = x + 0.2 * step / np.linalg.norm(step)
            change = x - IMAGE
            x = IMAGE + change * min(1, 0.3 / np.linalg.norm(change))
            x = np.clip(x, 0, 1)
        got = bim(KEY, predict, IMAGE, 1, eps=0.3, step_size=0.2, steps=4, norm="l2")
        np.testing.assert_allclose(got.image, x, atol=1e-5)

    def test_l1_iteration_written_out_in_numpy(self):
        # A step changes one of 9 entries, the one in which it gains most.
        x, moved, passed = IMAGE.astype(np.float64), [], 0
        for _ in range(6):
            slope = gradient(x, 2)
            room = np.where(slope > 0, 1 - x, x)
            chosen = np.argmax(np.abs(slope) * np.minimum(room, 0.4))
            passed += chosen != np.argmax(np.abs(slope))
            moved.append(chosen)
            step = np.zeros(9)
            step[chosen] = 0.4 * np.sign(slope.flat[chosen])
            x = nearest_l1(x + step.reshape(IMAGE.shape), 0.9)
        # The box changed the choice, and the steps went to several entries.
        self.assertGreater(passed, 1)
        self.assertGreater(len(set(moved)), 2)
        got = bim(KEY, predict, IMAGE, 2, eps=0.9, step_size=0.4, steps=6, norm="l1")
        np.testing.assert_allclose(got.image, x, atol=1e-5)

    def test_default_step_is_the_published_one(self):
        # 2/255 at 8/255 and 10 steps; in l2, where the end depends on every step.
        run = functools.partial(bim, KEY, predict, IMAGE, 0, norm="l2")
        default = run(eps=8 / 255)
        stated = run(eps=8 / 255, step_size=2 / 255, steps=10)
        np.testing.assert_allclose(default.image, stated.image, atol=1e-7)
        other = run(eps=8 / 255, step_size=1.9 / 255, steps=10)
        self.assertGreater(np.max(np.abs(other.image - stated.image)), 1e-6)

    def test_key_does_not_matter(self):
        one = bim(KEY, predict, IMAGE, 0, eps=0.1)
        other = bim(jax.random.key(1), predict, IMAGE, 0, eps=0.1)
        np.testing.assert_array_equal(one.image, other.image)
