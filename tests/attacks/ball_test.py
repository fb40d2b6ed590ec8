"""The ball: membership, steepest directions, and the distribution of its noise."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.attacks import (
    NORMS,
    ascend,
    ball_noise,
    project,
    random_start,
)
from mspd_jax.attacks._ball import ascent_direction

SHAPE = (4, 3, 2)
IMAGE = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
STEEP = ("linf", "l2")  # norms with a direction of steepest ascent
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}


def distance(x, norm):
    change = np.asarray(x, np.float64) - np.asarray(IMAGE, np.float64)
    return np.linalg.norm(change.reshape(-1), ORDER[norm])


class ProjectTest(parameterized.TestCase):
    @parameterized.product(norm=NORMS, scale=(1e-3, 0.3, 50.0), eps=(0.0, 0.05, 0.7))
    def test_result_is_in_ball_and_box(self, norm, scale, eps):
        noise = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
        x = project(IMAGE + scale * noise, IMAGE, eps=eps, norm=norm)
        self.assertLessEqual(distance(x, norm), eps + 1e-6)
        self.assertBetween(np.min(x), 0.0, 1.0)
        self.assertBetween(np.max(x), 0.0, 1.0)

    @parameterized.parameters(*NORMS)
    def test_point_inside_stays(self, norm):
        x = np.clip(IMAGE + np.float32(0.01), 0, 1)
        np.testing.assert_allclose(project(x, IMAGE, eps=0.3, norm=norm), x, atol=1e-7)

    def test_l2_goes_straight_back_where_the_box_is_far(self):
        image = jnp.full(SHAPE, 0.5)
        change = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
        got = project(image + change, image, eps=0.1, norm="l2") - image
        want = 0.1 * change / np.linalg.norm(change)
        np.testing.assert_allclose(got, want, atol=1e-6)

    def test_large_image_stays_in_the_l2_ball(self):
        # Where float32 sums are longest: a photo.
        image = jnp.full((224, 224, 3), 0.5)
        x = image + jax.random.normal(jax.random.key(0), image.shape)
        x = np.asarray(project(x, image, eps=3.0, norm="l2"), np.float64)
        self.assertAlmostEqual(np.linalg.norm(x - 0.5), 3.0, delta=1e-5)

    @parameterized.parameters("l0", "Linf", None)
    def test_unknown_norm_names_the_known(self, norm):
        with self.assertRaisesRegex(ValueError, "linf, l2, l1; got"):
            project(IMAGE, IMAGE, eps=0.1, norm=norm)


class DirectionTest(parameterized.TestCase):
    @parameterized.product(norm=STEEP, scale=(1e-30, 1e-10, 1.0, 1e30))
    def test_unit_length_and_steepest_at_any_scale(self, norm, scale):
        gradient = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
        step = ascent_direction(jnp.float32(scale) * gradient, norm=norm)
        self.assertAlmostEqual(np.linalg.norm(step.ravel(), ORDER[norm]), 1, places=5)
        # Hoelder: the largest gain of a unit step is the dual norm of the gradient.
        dual = np.linalg.norm(gradient.ravel(), {"linf": 1, "l2": 2}[norm])
        self.assertAlmostEqual(np.sum(step * gradient), dual, places=4)

    @parameterized.parameters(((4, 3, 2), 1), ((9, 8, 2), 1), ((16, 10, 3), 5))
    def test_l1_step_is_equal_in_the_largest_hundredth(self, shape, count):
        gradient = np.random.default_rng(3).normal(size=shape).astype(np.float32)
        for scale in (1e-30, 1.0, 1e30):
            step = ascent_direction(np.float32(scale) * gradient, norm="l1").ravel()
            want = np.zeros(gradient.size)
            largest = np.argsort(np.abs(gradient.ravel()))[-count:]
            want[largest] = np.sign(gradient.ravel()[largest]) / count
            np.testing.assert_allclose(step, want, atol=1e-7)

    def test_l1_step_has_length_1_also_with_ties_and_few_entries(self):
        tied = jnp.full((10, 10, 3), -2.0)
        np.testing.assert_allclose(
            ascent_direction(tied, norm="l1"), -np.ones((10, 10, 3)) / 300, rtol=1e-6
        )
        few = jnp.zeros((10, 10, 3)).at[3, 4, 1].set(1e-20)  # one of three that may be
        got = ascent_direction(few, norm="l1")
        np.testing.assert_array_equal(got, np.sign(few))

    @parameterized.parameters(*NORMS)
    def test_zero_and_broken_gradients_give_finite_steps(self, norm):
        zero = ascent_direction(jnp.zeros(SHAPE), norm=norm)
        np.testing.assert_array_equal(zero, np.zeros(SHAPE))
        broken = jnp.zeros(SHAPE).at[0, 0, 0].set(jnp.nan).at[1, 0, 0].set(-jnp.inf)
        want = np.zeros(SHAPE)
        want[1, 0, 0] = -1.0
        np.testing.assert_array_equal(ascent_direction(broken, norm=norm), want)

    def test_derivative_at_a_zero_gradient_is_finite(self):
        jacobian = jax.jacobian(lambda g: ascent_direction(g, norm="l2"))
        self.assertTrue(np.all(np.isfinite(jacobian(jnp.zeros(SHAPE)))))

    def test_l1_leaves_out_what_the_box_holds_back(self):
        # By falling slope: held at 1, held at 0, nearly so, free to leave 1, free.
        x = np.array([1.0, 0.0, 0.9, 1.0, 0.5], np.float32)
        gradient = np.array([9.0, -8.0, 7.5, -7.0, 6.0], np.float32)

        def moved(gradient, step_size):
            options = {"eps": 3.0, "step_size": step_size, "norm": "l1"}
            shape = (5, 1, 1)
            point, slope = x.reshape(shape), gradient.reshape(shape)
            got = ascend(point, slope, point, **options)
            return np.asarray(got).ravel() - x

        # Gains in a step of .25: 0, 0, .1 * 7.5, .25 * 7, .25 * 6.
        np.testing.assert_allclose(
            moved(gradient, 0.25), [0, 0, 0, -0.25, 0], atol=1e-6
        )
        np.testing.assert_allclose(moved(np.abs(gradient), 0.25), [0, 0.25, 0, 0, 0])
        # There is room for all of a step of .05.
        np.testing.assert_allclose(moved(gradient, 0.05), [0, 0, 0.05, 0, 0], atol=1e-6)
        # Where all are held nothing moves.
        held = np.array([1, -1, 0, 1, 0], np.float32)
        np.testing.assert_array_equal(moved(held, 0.05), np.zeros(5))
        # Nor without a step, and the scale of the gradient does not matter.
        np.testing.assert_array_equal(moved(gradient, 0.0), np.zeros(5))
        tiny = moved(np.float32(1e-30) * gradient, 0.25)
        np.testing.assert_allclose(tiny, [0, 0, 0, -0.25, 0], atol=1e-6)

    @parameterized.parameters(*STEEP)
    def test_ascend_steps_then_projects(self, norm):
        gradient = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
        got = ascend(IMAGE, gradient, IMAGE, eps=0.1, step_size=0.3, norm=norm)
        far = IMAGE + np.float32(0.3) * ascent_direction(gradient, norm=norm)
        want = project(far, IMAGE, eps=0.1, norm=norm)
        np.testing.assert_array_equal(got, want)

    @parameterized.parameters("linf", "l1")
    def test_ascend_along_the_direction_of_another_norm(self, norm):
        gradient = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
        options = {"eps": 0.5, "step_size": 0.3, "norm": norm}
        got = ascend(IMAGE, gradient, IMAGE, along="l2", **options)
        far = IMAGE + np.float32(0.3) * gradient / np.linalg.norm(gradient)
        want = project(far, IMAGE, eps=0.5, norm=norm)
        np.testing.assert_allclose(got, want, atol=1e-6)
        other = ascend(IMAGE, gradient, IMAGE, **options)
        self.assertGreater(np.max(np.abs(got - other)), 1e-2)


class NoiseTest(parameterized.TestCase):
    """Kolmogorov-Smirnov against SciPy: fixed key, false-alarm rate 1e-3 per test."""

    def draws(self, norm, number):
        keys = jax.random.split(jax.random.key(5), number)
        return np.asarray(
            jax.vmap(lambda k: ball_noise(k, SHAPE, eps=0.3, norm=norm))(keys)
        ).reshape(number, -1)

    def test_linf_is_uniform_in_the_cube(self):
        # 200 draws of 24 entries: 4,800 values.
        values = self.draws("linf", 200).ravel()
        self.assertGreater(stats.kstest(values, stats.uniform(-0.3, 0.6).cdf)[1], 1e-3)

    def test_l2_is_uniform_in_the_ball(self):
        # 2,000 draws in 24 dimensions: (radius / eps)^24 is U(0, 1), and the square of
        # one entry of the direction is Beta(1/2, 23/2), each entry with either sign.
        draws = self.draws("l2", 2000)
        length = np.linalg.norm(draws, axis=1)
        self.assertLessEqual(length.max(), 0.3 + 1e-6)
        volume = (length / 0.3) ** 24
        self.assertGreater(stats.kstest(volume, stats.uniform.cdf)[1], 1e-3)
        entry = draws[:, 7] / length
        self.assertGreater(stats.kstest(entry**2, stats.beta(0.5, 11.5).cdf)[1], 1e-3)
        positive = int(np.sum(entry > 0))
        self.assertGreater(stats.binomtest(positive, 2000).pvalue, 1e-3)

    @parameterized.parameters(*NORMS)
    def test_random_start_is_noise_clipped_to_the_box(self, norm):
        key = jax.random.key(1)
        x = random_start(key, IMAGE, eps=0.9, norm=norm)
        want = IMAGE + ball_noise(key, SHAPE, eps=0.9, norm=norm)
        np.testing.assert_array_equal(x, np.clip(want, 0, 1))
