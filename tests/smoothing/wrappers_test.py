"""Wrapped classifiers against what they are short for."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import eot, is_random, reseed
from mspd_jax.smoothing import denoised, eight_bit, noisy, soft_smoothed
from mspd_jax.smoothing._noise import noise_at

SHAPE = (2, 3, 1)
KEY = jax.random.key(0)
WEIGHTS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
IMAGE = np.random.default_rng(1).uniform(0.2, 0.8, SHAPE).astype(np.float32)
close = np.testing.assert_allclose


def curved(weights, image):
    return jnp.sin(3.0 * (weights @ image.reshape(-1)))


def scale(factor, image):
    return factor * image


PREDICT = Partial(curved, jnp.asarray(WEIGHTS))
ask = jax.jit(lambda predict, image: predict(image))
slope = jax.jit(
    lambda predict, image, weights: jax.grad(lambda x: weights @ predict(x))(image)
)


class DenoisedTest(parameterized.TestCase):
    def test_shows_the_classifier_what_the_denoiser_makes(self):
        predict = denoised(PREDICT, Partial(scale, jnp.float32(0.5)))
        close(ask(predict, IMAGE), PREDICT(np.float32(0.5) * IMAGE), rtol=1e-6)
        weights = jnp.arange(4.0)
        half = slope(PREDICT, np.float32(0.5) * IMAGE, weights)
        close(slope(predict, IMAGE, weights), 0.5 * half, rtol=1e-5, atol=1e-6)

    def test_other_denoisers_do_not_compile_again(self):
        run = jax.jit(lambda predict, x: predict(x))
        for factor in (0.5, 0.25):
            run(denoised(PREDICT, Partial(scale, jnp.float32(factor))), IMAGE)
        self.assertEqual(run._cache_size(), 1)


class EightBitTest(parameterized.TestCase):
    def test_rounds_to_what_a_file_holds(self):
        image = np.array([-0.3, 0.0, 0.3001, 0.7, 1.0, 1.7], np.float32).reshape(SHAPE)
        file = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
        got = eight_bit(lambda x: x)(jnp.asarray(image))
        close(got, file / np.float32(255), atol=1e-7)
        np.testing.assert_array_equal(np.rint(255 * got), file)

    def test_leaves_eight_bit_images_and_passes_no_gradient(self):
        image = np.float32(np.rint(255 * IMAGE)) / np.float32(255)
        close(ask(eight_bit(PREDICT), image), ask(PREDICT, image), atol=1e-5)
        gradient = slope(eight_bit(PREDICT), image, jnp.ones(4))
        self.assertEqual(np.abs(gradient).max(), 0.0)


class NoisyTest(parameterized.TestCase):
    def test_is_one_draw(self):
        predict = noisy(KEY, PREDICT, sigma=0.3)
        want = PREDICT(IMAGE + np.float32(0.3) * jax.random.normal(KEY, SHAPE))
        close(ask(predict, IMAGE), want, rtol=1e-5, atol=1e-6)
        other = ask(reseed(predict, 1), IMAGE)
        self.assertGreater(np.abs(other - want).max(), 0.1)

    def test_attacks_see_a_randomized_model(self):
        self.assertTrue(is_random(noisy(KEY, PREDICT, sigma=0.3)))
        # The mean of sin(3 (w.x + sigma w.n)) is sin(3 w.x) exp(-9 sigma^2 |w|^2 / 2).
        # Four means of 4,000 draws of variance below 1, 5 standard errors: 2e-6.
        got = ask(eot(noisy(KEY, PREDICT, sigma=0.1), draws=4_000, chunk=500), IMAGE)
        fade = np.exp(-4.5 * 0.01 * np.square(WEIGHTS).sum(axis=1))
        close(got, fade * PREDICT(IMAGE), atol=5 / np.sqrt(4_000))
        self.assertGreater(np.abs(PREDICT(IMAGE) - got).max(), 0.1)

    def test_sigma_and_key_do_not_compile_again(self):
        run = jax.jit(lambda predict, x: predict(x))
        for seed, sigma in ((0, 0.1), (1, 0.5)):
            run(noisy(jax.random.key(seed), PREDICT, sigma=sigma), IMAGE)
        self.assertEqual(run._cache_size(), 1)


class SoftSmoothedTest(parameterized.TestCase):
    def by_hand(self, image, count=12, sigma=0.3):
        """float64, every draw at once."""
        noise = np.asarray(noise_at(KEY, jnp.arange(count), SHAPE), np.float64)
        x = (image + np.float64(np.float32(sigma)) * noise).reshape(count, -1)
        logits = np.sin(3.0 * x @ np.float64(WEIGHTS).T)
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return np.log(chance.mean(axis=0))

    @parameterized.parameters(1, 3, 12)
    def test_is_the_log_of_the_mean(self, chunk):
        predict = soft_smoothed(KEY, PREDICT, sigma=0.3, num_samples=12, chunk=chunk)
        close(ask(predict, IMAGE), self.by_hand(IMAGE), rtol=1e-5)
        close(np.exp(ask(predict, IMAGE)).sum(), 1.0, rtol=1e-6)

    @parameterized.parameters(1, 4)
    def test_gradient_is_that_of_finite_differences(self, chunk):
        predict = soft_smoothed(KEY, PREDICT, sigma=0.3, num_samples=12, chunk=chunk)
        weights = np.array([1.0, -2.0, 0.5, 0.0], np.float32)
        got = slope(predict, IMAGE, weights)
        step = 1e-5 * np.eye(6).reshape(6, *SHAPE)
        want = [
            weights @ (self.by_hand(IMAGE + d) - self.by_hand(IMAGE - d)) / 2e-5
            for d in step
        ]
        close(got.ravel(), want, rtol=1e-4, atol=1e-5)

    def test_is_the_probit_in_the_limit(self):
        # Saturated logits of a linear model: the share of noise on either side, Phi.
        # 20,000 draws, 5 standard errors: 6e-7.
        def hard(image):
            score = 1e6 * (jnp.sum(image) - 3.0)
            return jnp.stack([score, 0.0])

        predict = soft_smoothed(KEY, hard, sigma=0.5, num_samples=20_000, chunk=1_000)
        got = np.exp(ask(predict, jnp.full(SHAPE, 0.6)))
        want = float(jax.scipy.stats.norm.cdf(0.6 / (0.5 * np.sqrt(6))))
        close(got, [want, 1 - want], atol=5 * 0.47 / np.sqrt(20_000))

    def test_probabilities_do_not_underflow(self):
        def sure(image):
            return jnp.stack([500.0 * jnp.sum(image), 0.0])

        predict = soft_smoothed(KEY, sure, sigma=1e-4, num_samples=4)
        logits = ask(predict, IMAGE)
        close(logits, [0.0, -500.0 * IMAGE.sum()], rtol=1e-3)
        gradient = slope(predict, IMAGE, jnp.array([0.0, 1.0]))
        close(gradient, np.full(SHAPE, -500.0), rtol=1e-4)

    def test_ruled_out_class_stays_so(self):
        def masked(image):
            return jnp.stack([jnp.sum(image), 0.0, -jnp.inf])

        predict = soft_smoothed(KEY, masked, sigma=0.1, num_samples=4, chunk=2)
        self.assertEqual(ask(predict, IMAGE)[2], -jnp.inf)
        gradient = slope(predict, IMAGE, jnp.array([1.0, 0.0, 0.0]))
        self.assertTrue(np.all(np.isfinite(gradient)))

    def test_jit_equals_eager_and_rows_do_not_depend_on_the_batch(self):
        predict = soft_smoothed(KEY, PREDICT, sigma=0.3, num_samples=6, chunk=3)
        images = np.stack([IMAGE, 1 - IMAGE, IMAGE / 2])
        rows = jax.jit(jax.vmap(lambda x: predict(x)))(images)
        for row, image in zip(rows, images, strict=True):
            close(row, predict(jnp.asarray(image)), rtol=1e-5)

    def test_other_settings_do_not_compile_again(self):
        run = jax.jit(lambda predict, x: predict(x))
        for seed in (0, 1):
            predict = soft_smoothed(
                jax.random.key(seed), PREDICT, sigma=0.1 + seed, num_samples=4
            )
            run(predict, IMAGE)
        self.assertEqual(run._cache_size(), 1)

    @parameterized.parameters(
        ({"num_samples": 0}, "num_samples must be an integer"),
        ({"chunk": 0}, "chunk must be an integer"),
        ({"chunk": 5}, "chunk must divide num_samples = 12; got 5"),
    )
    def test_bad_arguments(self, options, message):
        options = {"num_samples": 12, "chunk": 1} | options
        with self.assertRaisesRegex(ValueError, message):
            soft_smoothed(KEY, PREDICT, sigma=0.1, **options)
