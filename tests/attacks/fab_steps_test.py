"""The steps of FAB: on a circle, and on an ellipse written out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import fab

KEY = jax.random.key(0)
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}
run = jax.jit(fab, static_argnames=("norm", "steps", "restarts"))


def length(x, image, norm):
    change = np.asarray(x, np.float64) - np.asarray(image, np.float64)
    return np.linalg.norm(change.ravel(), ORDER[norm])


def circle(parameters, image):
    center, radius = parameters
    inside = radius**2 - jnp.sum(jnp.square(image - center))
    return jnp.stack([inside, jnp.zeros_like(inside)])


class CircleTest(parameterized.TestCase):
    """From inside a circle: each linearization lies beyond the true boundary."""

    image = np.array([0.68, 0.51], np.float32).reshape(1, 2, 1)
    center, radius = np.array([0.5, 0.5], np.float32).reshape(1, 2, 1), 0.3

    @parameterized.parameters("linf", "l2", "l1")
    def test_distance_to_a_circle(self, norm):
        angle = np.linspace(0, 2 * np.pi, 2_000_001)
        ring = self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        change = ring - (self.image - self.center).ravel()
        want = np.min(np.linalg.norm(change, ORDER[norm], axis=1))
        predict = Partial(circle, (self.center, self.radius))
        got = run(KEY, predict, self.image, 0, eps=jnp.inf, norm=norm)
        np.testing.assert_allclose(-got.loss, want, rtol=1e-3)

    def test_final_search_ends_at_the_boundary(self):
        # After 3 steps the place on the circle is not yet right, but it is the circle.
        predict = Partial(circle, (self.center, self.radius))
        got = run(KEY, predict, self.image, 0, eps=jnp.inf, norm="l2", steps=3)
        radius = length(got.image, self.center, "l2")
        self.assertBetween(radius, self.radius, self.radius * 1.0005)


def ellipse(parameters, image):
    center, radius, curve = parameters
    inside = radius**2 - jnp.sum(curve * jnp.square(image - center))
    return jnp.stack([inside, jnp.zeros_like(inside)])


def by_hand(image, center, radius, curve, *, steps, alpha_max, eta, beta):
    """The paper's steps in l2 in numpy, the box out of the way: the nearest point."""
    x, best = image, np.full_like(image, np.inf)
    for _ in range(steps):
        value = np.sum(curve * (x - center) ** 2) - radius**2
        normal = 2 * curve * (x - center)
        unit, size = normal / np.linalg.norm(normal), np.linalg.norm(normal)
        d, d_0 = -value / size, -(value + normal @ (image - x)) / size
        alpha = min(abs(d) / (abs(d) + abs(d_0)), alpha_max)
        x = (1 - alpha) * (x + eta * d * unit) + alpha * (image + eta * d_0 * unit)
        assert x.min() > 0 and x.max() < 1
        if np.sum(curve * (x - center) ** 2) > radius**2:
            if np.linalg.norm(x - image) < np.linalg.norm(best - image):
                best = x
            x = image + beta * (x - image)
    return best


class StepsTest(parameterized.TestCase):
    @parameterized.product(steps=(2, 7), constants=((0.1, 1.05, 0.9), (0.3, 1.2, 0.6)))
    def test_first_steps_by_hand(self, steps, constants):
        # The final search moves along the line to the image, so the direction is left.
        center, curve = np.array([0.5, 0.5, 0.5, 0.5]), np.array([1.0, 3.0, 0.3, 1.0])
        image = np.array([0.62, 0.55, 0.58, 0.49])
        names = ("alpha_max", "eta", "beta")
        options = dict(zip(names, constants, strict=True))
        want = by_hand(image, center, 0.2, curve, steps=steps, **options) - image
        shape = (1, 2, 2)
        parameters = (center.reshape(shape), 0.2, curve.reshape(shape))
        parameters = jax.tree.map(lambda v: jnp.array(v, jnp.float32), parameters)
        start = jnp.array(image, jnp.float32).reshape(shape)
        options |= {"eps": jnp.inf, "norm": "l2", "steps": steps}
        got = run(KEY, Partial(ellipse, parameters), start, 0, **options)
        change = np.asarray(got.image, np.float64).ravel() - image
        np.testing.assert_allclose(
            change / np.linalg.norm(change), want / np.linalg.norm(want), atol=2e-5
        )
