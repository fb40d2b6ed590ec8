"""Repeated steps and momentum, written out in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.attacks import add_momentum, ascent

SHAPE = (3, 4, 2)
RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0.3, 0.7, SHAPE).astype(np.float32)
START = (IMAGE + RNG.uniform(-0.05, 0.05, SHAPE)).astype(np.float32)
CURVE = RNG.normal(size=SHAPE).astype(np.float32)
TURN = (IMAGE + RNG.uniform(-0.1, 0.1, SHAPE)).astype(np.float32)


def slope(x):
    return CURVE * (x - TURN)


class AscentTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2"), steps=(0, 1, 2, 5))
    def test_steps_by_hand(self, norm, steps):
        eps, step_size = {"linf": (0.1, 0.04), "l2": (0.3, 0.1)}[norm]
        x = START.astype(np.float64)
        for _ in range(steps):
            g = slope(x)
            g = np.sign(g) if norm == "linf" else g / np.linalg.norm(g)
            change = x + step_size * g - IMAGE
            if norm == "linf":
                change = np.clip(change, -eps, eps)
            else:
                change = change * min(1.0, eps / np.linalg.norm(change))
            x = np.clip(IMAGE + change, 0.0, 1.0)
        got = ascent(
            slope, START, IMAGE, eps=eps, step_size=step_size, steps=steps, norm=norm
        )
        np.testing.assert_allclose(got, x, atol=1e-6)

    @parameterized.parameters(1, 3)
    def test_differentiable_in_its_center(self, steps):
        # Sign steps are constants, and P moves a pixel at its bound with the center.
        def end(center):
            options = {"eps": 0.05, "step_size": 0.2, "norm": "linf"}
            return jnp.sum(
                ascent(
                    lambda x: jnp.ones_like(x), center, center, steps=steps, **options
                )
            )

        np.testing.assert_array_equal(jax.grad(end)(jnp.array(IMAGE)), np.ones(SHAPE))


class MomentumTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.5, 1.0)
    def test_equation_6_of_the_paper(self, decay):
        momentum, want = jnp.zeros(SHAPE), np.zeros(SHAPE)
        for gradient in RNG.normal(size=(3, *SHAPE)).astype(np.float32):
            momentum = add_momentum(momentum, gradient, decay=decay)
            want = decay * want + gradient / np.mean(np.abs(gradient))
        np.testing.assert_allclose(momentum, want, rtol=1e-5, atol=1e-6)

    @parameterized.parameters(1e-30, 1e-10, 1e30)
    def test_the_scale_of_the_gradient_does_not_matter(self, scale):
        plain, scaled = (
            add_momentum(jnp.ones(SHAPE), jnp.float32(c) * CURVE, decay=1.0)
            for c in (1.0, scale)
        )
        np.testing.assert_allclose(scaled, plain, rtol=1e-4, atol=1e-4)

    def test_zero_adds_nothing(self):
        got = add_momentum(CURVE, jnp.zeros(SHAPE), decay=0.5)
        np.testing.assert_array_equal(got, 0.5 * CURVE)
