"""Linearized decision boundaries against a linear model and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks._boundary import (
    nearest_classes,
    nearest_plane,
    wrong_classes,
)

SHAPE = (2, 2, 2)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(5, 8)).astype(np.float32)
BIAS = RNG.normal(size=5).astype(np.float32)
IMAGE = RNG.uniform(size=SHAPE).astype(np.float32)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}


def linear(image):
    return jnp.array(WEIGHTS) @ image.reshape(-1) + jnp.array(BIAS)


def every(logits):
    """The boundaries of class 2 with all others."""
    del logits
    return jnp.array([0, 1, 3, 4]), jnp.array([2, 2, 2, 2])


class WrongClassesTest(parameterized.TestCase):
    @parameterized.parameters((0, [3, 1, 4]), (3, [1, 4, 0]), (4, [3, 1, 0]))
    def test_highest_first_without_the_label(self, label, want):
        logits = jnp.array([0.0, 2.0, -1.0, 3.0, 1.0])
        np.testing.assert_array_equal(wrong_classes(logits, label, count=3), want)


class NearestClassesTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2", "l1"), candidates=(2, 4))
    def test_of_a_linear_model(self, norm, candidates):
        label = int(np.argsort(linear(IMAGE))[-2])  # one class is above it
        others = [int(c) for c in np.argsort(-linear(IMAGE)) if c != label][:candidates]
        gaps = WEIGHTS[label] - WEIGHTS[others]
        values = gaps @ IMAGE.ravel() + (BIAS[label] - BIAS[others])
        far = values / np.linalg.norm(gaps, DUAL[norm], axis=1)
        want = np.array(others)[np.argsort(far)][:2]
        got = nearest_classes(
            linear, IMAGE, label, norm=norm, candidates=candidates, count=2
        )
        np.testing.assert_array_equal(got, want)

    def test_flat_boundary_is_last(self):
        def flat(x):  # class 1 as good as the label, and nothing leads there
            return jnp.stack([linear(x)[0], linear(x)[0], linear(x)[2] - 9.0])

        got = nearest_classes(flat, IMAGE, 0, norm="linf", candidates=2, count=2)
        np.testing.assert_array_equal(got, [2, 1])


class NearestPlaneTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2", "l1"), scale=(1.0, 1e-30, 1e30))
    def test_of_a_linear_model(self, norm, scale):
        def predict(x):
            return jnp.float32(scale) * linear(x)

        plane, logits = nearest_plane(predict, IMAGE, every, norm=norm)
        np.testing.assert_allclose(logits, predict(IMAGE), rtol=1e-6)
        gaps = np.delete(np.asarray(linear(IMAGE)) - linear(IMAGE)[2], 2)
        normals = np.delete(WEIGHTS - WEIGHTS[2], 2, axis=0)
        far = np.abs(gaps) / np.linalg.norm(normals, DUAL[norm], axis=1)
        nearest = np.argmin(far)
        largest = np.max(np.abs(normals[nearest]))
        np.testing.assert_allclose(plane.value, gaps[nearest] / largest, rtol=1e-4)
        np.testing.assert_allclose(
            plane.normal.ravel(), normals[nearest] / largest, rtol=1e-4, atol=1e-6
        )

    def test_normal_is_the_gradient(self):
        def curved(x):
            return jnp.sin(3.0 * linear(x))

        def one(logits):
            del logits
            return jnp.array([1]), jnp.array([0])

        plane, _ = nearest_plane(curved, IMAGE, one, norm="l2")
        want = jax.grad(lambda x: curved(x)[1] - curved(x)[0])(IMAGE)
        largest = np.max(np.abs(want))
        np.testing.assert_allclose(plane.normal, want / largest, atol=1e-5)
        np.testing.assert_allclose(np.max(np.abs(plane.normal)), 1.0, rtol=1e-6)

    def test_flat_and_broken_boundaries_are_far(self):
        def predict(x):
            logits = linear(x)
            return jnp.stack([logits[0], 7.0, logits[2], jnp.nan, logits[4]])

        def some(logits):
            del logits
            return jnp.array([1, 3, 4]), jnp.array([1, 2, 2])

        plane, _ = nearest_plane(predict, IMAGE, some, norm="linf")
        want = WEIGHTS[4] - WEIGHTS[2]
        np.testing.assert_allclose(
            plane.normal.ravel(), want / np.max(np.abs(want)), rtol=1e-4, atol=1e-6
        )

    def test_a_flat_model_has_no_direction(self):
        plane, _ = nearest_plane(lambda x: jnp.zeros(5), IMAGE, every, norm="l2")
        np.testing.assert_array_equal(plane.normal, np.zeros(SHAPE))
        self.assertEqual(plane.value, 0.0)
