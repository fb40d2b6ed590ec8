"""The noise of smoothing: where it lies, how it is spread, what addresses it."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import stats

from mspd_jax.preempt._noise import smoothing_noise

SHAPE = (4, 4, 3)


_draw = jax.jit(smoothing_noise, static_argnames=("shape", "norm", "antithetic"))


def _noise(draws, **options):
    return np.asarray(_draw(jax.random.key(0), draws, SHAPE, **options))


class NoiseTest(parameterized.TestCase):
    def test_linf_is_uniform_in_the_cube(self):
        noise = _noise(jnp.arange(500), eps=0.1)
        # 24,000 values, fixed key; a right sampler fails one time in 10^6.
        test = stats.kstest(noise.ravel(), stats.uniform(-0.1, 0.2).cdf)
        self.assertGreater(test.pvalue, 1e-6)

    def test_l2_is_uniform_in_the_ball(self):
        noise = _noise(jnp.arange(2000), eps=0.5, norm="l2").reshape(2000, -1)
        radius = np.linalg.norm(noise, axis=1) / 0.5
        # r^d of a uniform point of the d-ball is U(0, 1); fails one time in 10^6.
        self.assertGreater(stats.kstest(radius**48, "uniform").pvalue, 1e-6)
        # Each coordinate of the direction is symmetric: mean within 5 sigma of 0.
        sigma = noise.std() / np.sqrt(2000)
        self.assertLess(np.abs(noise.mean(axis=0)).max(), 5 * sigma)

    @parameterized.product(antithetic=[False, True], norm=["linf", "l2"])
    def test_a_draw_depends_on_its_number_alone(self, antithetic, norm):
        options = {"eps": 0.1, "norm": norm, "antithetic": antithetic}
        together = _noise(jnp.arange(6), **options)
        shuffled = np.asarray([5, 0, 3])
        np.testing.assert_array_equal(together[shuffled], _noise(shuffled, **options))
        self.assertGreater(np.abs(together[0] - together[2]).max(), 0.01)

    def test_antithetic_pairs_cancel(self):
        noise = _noise(jnp.arange(6), eps=0.1, antithetic=True)
        np.testing.assert_array_equal(noise[::2], -noise[1::2])
        self.assertGreater(np.abs(noise[0] - noise[2]).max(), 0.01)

    def test_unknown_norm_is_named(self):
        with self.assertRaisesRegex(ValueError, "l3"):
            _noise(jnp.arange(2), eps=0.1, norm="l3")
