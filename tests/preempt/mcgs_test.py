"""MCGS against an independent NumPy version on a linear softmax model; its noise:
where it lies, how it is spread, what addresses it."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import stats

from mspd_jax import preempt
from mspd_jax.preempt._mcgs import smoothing_noise

SHAPE = (3, 4, 2)
CLASSES = 3
EPS = 8 / 255


# Compiled whole: run op by op, every operation is a compilation of its own.
_STATIC = ("num_samples", "steps", "forward_epochs", "backward_epochs", "norm", "chunk")
mcgs = jax.jit(preempt.mcgs, static_argnames=_STATIC)


def _linear(weights, image):
    return weights @ image.ravel()


def _setup(seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(CLASSES, 24)).astype(np.float32)
    image = rng.uniform(size=SHAPE).astype(np.float32)
    image.flat[:4] = [0.0, 1.0, 0.01, 0.99]  # at and near the walls of the box
    return Partial(_linear, jnp.asarray(weights)), weights, image, 1


def _numpy_gradient(weights, z, label):
    logits = weights.astype(np.float64) @ z.ravel()
    p = np.exp(logits - logits.max())
    p /= p.sum()
    p[label] -= 1.0
    return (weights.T.astype(np.float64) @ p).reshape(z.shape)


def _numpy_project(z, center, eps, norm):
    change = z - center
    if norm == "linf":
        change = np.clip(change, -eps, eps)
    else:
        change = change * min(1.0, eps / max(np.linalg.norm(change), 1e-30))
    return np.clip(center + change, 0.0, 1.0)


def _numpy_smooth(weights, x, label, noise, sign, eps, steps, norm):
    total = np.zeros_like(x)
    for u in noise:
        z = np.clip(x + u, 0, 1)
        for _ in range(steps):
            g = _numpy_gradient(weights, z, label)
            g = np.sign(g) if norm == "linf" else g / np.linalg.norm(g)
            z = _numpy_project(z + sign * eps * g, x, eps, norm)
        total += z
    return total / len(noise)


def _numpy_mcgs(weights, image, label, noise, eps, rate, forward, steps, norm):
    x = image.astype(np.float64)
    for epoch, draws in enumerate(noise):
        sign = -1 if epoch < forward else 1
        smooth = _numpy_smooth(weights, x, label, draws, sign, eps, steps, norm)
        x = x + (rate if sign < 0 else -rate) * (smooth - x)
        x = _numpy_project(x, image.astype(np.float64), eps, norm)
    return x


class McgsTest(parameterized.TestCase):
    @parameterized.product(
        norm=["linf", "l2"], steps=[1, 3], rate=[1.0, 0.5], epochs=[(1, 1), (2, 1)]
    )
    def test_equals_independent_version(self, norm, steps, rate, epochs):
        predict, weights, image, label = _setup()
        eps = EPS if norm == "linf" else 0.3
        forward, backward = epochs
        noise = smoothing_noise(
            jax.random.key(1), jnp.arange(5), SHAPE, eps=eps, norm=norm
        )
        noise = jnp.stack([noise * (1 - 0.1 * e) for e in range(forward + backward)])
        result = mcgs(
            jax.random.key(0),
            predict,
            jnp.asarray(image),
            jnp.int32(label),
            eps=eps,
            num_samples=5,
            chunk=5,
            steps=steps,
            learning_rate=rate,
            forward_epochs=forward,
            backward_epochs=backward,
            norm=norm,
            noise=noise,
        )
        expected = _numpy_mcgs(
            weights, image, label, np.asarray(noise), eps, rate, forward, steps, norm
        )
        np.testing.assert_allclose(result.image, expected, atol=2e-6)

    @parameterized.parameters(1, 3, 5)
    def test_surrogates_take_turns_draw_by_draw(self, samples):
        predict, weights, image, label = _setup()
        models = [weights, *np.random.default_rng(3).normal(size=(2, *weights.shape))]
        others = tuple(Partial(_linear, jnp.float32(w)) for w in models[1:])
        noise = smoothing_noise(jax.random.key(1), jnp.arange(samples), SHAPE, eps=EPS)
        noise = jnp.stack([noise, -noise])
        result = mcgs(
            *(jax.random.key(0), predict, jnp.asarray(image), jnp.int32(label)),
            eps=EPS,
            num_samples=samples,
            chunk=2,
            noise=noise,
            others=others,
        )
        x, center = image.astype(np.float64), image.astype(np.float64)
        for draws, sign in zip(np.asarray(noise), (-1, 1), strict=True):
            ends = [
                _numpy_smooth(models[n % 3], x, label, [u], sign, EPS, 1, "linf")
                for n, u in enumerate(draws)
            ]
            x = x - sign * (np.mean(ends, axis=0) - x)
            x = _numpy_project(x, center, EPS, "linf")
        np.testing.assert_allclose(result.image, x, atol=2e-6)

    @parameterized.parameters("linf", "l2")
    def test_stays_in_ball_and_box(self, norm):
        predict, _, image, label = _setup(3)
        eps = EPS if norm == "linf" else 0.3
        result = mcgs(
            jax.random.key(0),
            predict,
            jnp.asarray(image),
            jnp.int32(label),
            eps=eps,
            norm=norm,
            forward_epochs=2,
            backward_epochs=2,
            learning_rate=2.0,
        )
        for x in result:
            change = np.asarray(x, np.float64) - image
            size = np.abs(change).max() if norm == "linf" else np.linalg.norm(change)
            self.assertLessEqual(size, eps + 1e-6)
            self.assertGreater(size, eps / 2)  # and it did move
            self.assertBetween(float(jnp.min(x)), 0.0, 1.0)
            self.assertBetween(float(jnp.max(x)), 0.0, 1.0)


class ChunkTest(parameterized.TestCase):
    @parameterized.parameters(1, 3, 4, 7, 10, 16)
    def test_chunks_change_rounding_alone(self, chunk):
        predict, _, image, label = _setup()

        def run(chunk):
            key, x, y = jax.random.key(0), jnp.asarray(image), jnp.int32(label)
            return mcgs(key, predict, x, y, eps=EPS, num_samples=10, chunk=chunk).image

        np.testing.assert_allclose(run(chunk), run(10), atol=1e-6)

    def test_memory_grows_with_the_chunk_not_with_the_draws(self):
        predict, _, image, label = _setup()

        def temporary_bytes(num_samples, chunk):
            def run(key, image):
                return preempt.mcgs(
                    key,
                    predict,
                    image,
                    jnp.int32(label),
                    eps=EPS,
                    num_samples=num_samples,
                    chunk=chunk,
                ).image

            program = jax.jit(run).lower(jax.random.key(0), jnp.asarray(image))
            return program.compile().memory_analysis().temp_size_in_bytes

        few = temporary_bytes(40, 20)
        self.assertLess(temporary_bytes(4000, 20), 1.2 * few)
        self.assertGreater(temporary_bytes(4000, 2000), 20 * few)

    def test_bad_counts_are_named(self):
        predict, _, image, label = _setup()
        for options in [{"num_samples": 0}, {"chunk": 0}]:
            with self.assertRaisesRegex(ValueError, "at least 1"):
                preempt.mcgs(
                    jax.random.key(0),
                    predict,
                    jnp.asarray(image),
                    jnp.int32(label),
                    eps=EPS,
                    **options,
                )


NOISE_SHAPE = (4, 4, 3)
_draw = jax.jit(smoothing_noise, static_argnames=("shape", "norm", "antithetic"))


def _noise(draws, **options):
    return np.asarray(_draw(jax.random.key(0), draws, NOISE_SHAPE, **options))


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
