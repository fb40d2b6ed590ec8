"""Randomized models: keys as leaves, fresh draws, averages and their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import bpda, draws_of, eot, is_random, reseed

SHAPE = (2, 3, 2)
WEIGHTS = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
IMAGE = np.random.default_rng(1).uniform(0.2, 0.8, SHAPE).astype(np.float32)
close = np.testing.assert_allclose


def linear(weights, image):
    return weights @ image.reshape(-1)


def noisy(key, weights, image):
    """Additive noise on the logits and multiplicative noise on the image."""
    add_key, scale_key = jax.random.split(key)
    image = image * jax.random.uniform(scale_key, image.shape, minval=0.0, maxval=2.0)
    return linear(weights, image) + jax.random.normal(add_key, (4,))


def model(seed=0):
    return Partial(noisy, jax.random.key(seed), jnp.asarray(WEIGHTS))


PLAIN = Partial(linear, jnp.asarray(WEIGHTS))
# One program for each kind of model; unjitted loops would be compiled at each call.
ask = jax.jit(lambda predict, image: predict(image))
ask_all = jax.jit(jax.vmap(lambda predict, image: predict(image), in_axes=(None, 0)))
slopes = jax.jit(lambda predict, image: jax.jacrev(predict)(image))


class ReseedTest(parameterized.TestCase):
    def test_is_random(self):
        self.assertTrue(is_random(model()))
        self.assertTrue(is_random(bpda(PLAIN, backward=model())))
        self.assertFalse(is_random(PLAIN))
        self.assertFalse(is_random(lambda x: x))
        # Old-style keys are integers like any other.
        self.assertFalse(is_random(Partial(linear, jax.random.PRNGKey(0))))

    def test_folds_integers_and_keys_into_every_key(self):
        key = jax.random.key(0)
        held = Partial(noisy, key, {"more": jax.random.split(key, (2, 3)), "w": 1.0})
        got = jax.jit(lambda held, i: jax.tree.leaves(reseed(held, i)))(held, 5)
        want = [
            jax.random.fold_in(key, 5),
            [[jax.random.fold_in(k, 5) for k in row] for row in held.args[1]["more"]],
        ]
        bits = jax.random.key_data
        np.testing.assert_array_equal(bits(got[0]), bits(want[0]))
        rows = [[bits(k) for k in row] for row in want[1]]
        np.testing.assert_array_equal(bits(got[1]), rows)
        self.assertEqual(got[2], 1.0)
        # All bits of a key count.
        one, other = (
            reseed(key, jax.random.wrap_key_data(jnp.array(w, jnp.uint32)))
            for w in ([1, 2], [1, 3])
        )
        self.assertFalse(np.array_equal(bits(one), bits(other)))

    def test_model_without_keys_is_as_it_was(self):
        self.assertEqual(
            jax.tree.structure(reseed(PLAIN, 3)), jax.tree.structure(PLAIN)
        )
        np.testing.assert_array_equal(reseed(PLAIN, 3)(IMAGE), PLAIN(IMAGE))


class EotTest(parameterized.TestCase):
    @parameterized.parameters(1, 50)
    def test_mean_of_value_and_gradient(self, chunk):
        # Independent draws: mean at the noiseless model, variance 1 plus that of the
        # scaled image. 5 standard errors for 52 numbers: false alarm 3e-5.
        predict = eot(model(), draws=2000, chunk=chunk)
        value = ask(predict, IMAGE)
        variance = 1 + np.square(WEIGHTS) @ np.square(IMAGE.ravel()) / 3
        errors = (value - PLAIN(IMAGE)) / np.sqrt(variance / 2000)
        self.assertLess(np.max(np.abs(errors)), 5)
        got = slopes(predict, IMAGE).reshape(4, 12)
        errors = (got - WEIGHTS) / (np.abs(WEIGHTS) / np.sqrt(3 * 2000))
        self.assertLess(np.max(np.abs(errors)), 5)
        self.assertGreater(np.max(np.abs(errors)), 0.1)  # and they are draws

    def test_chunks_are_the_same_draws(self):
        one, more = (ask(eot(model(), draws=12, chunk=c), IMAGE) for c in (1, 4))
        close(one, more, rtol=1e-5)

    def test_value_and_gradient_are_of_the_same_draws(self):
        # Each draw is linear in the image: value = gradient * image + noise; with the
        # noise left out the two must agree.
        def scaled(key, weights, image):
            scale = jax.random.uniform(key, image.shape)
            return linear(weights, image * scale)

        predict = eot(Partial(scaled, jax.random.key(0), WEIGHTS), draws=3)
        gradient = slopes(predict, IMAGE).reshape(4, 12)
        close(gradient @ IMAGE.ravel(), ask(predict, IMAGE), rtol=1e-5)

    def test_each_image_and_each_key_has_its_own_draws(self):
        def noise(key, image):
            return jax.random.normal(key, (4,))

        predict = eot(Partial(noise, jax.random.key(0)), draws=1)
        # One bit, or the order of the pixels, is another image.
        nudged = IMAGE.copy()
        nudged[0, 0, 0] = np.nextafter(nudged[0, 0, 0], np.float32(1))
        flipped = IMAGE[::-1].copy()
        other = eot(Partial(noise, jax.random.key(1)), draws=1)
        points = [ask(predict, x) for x in (IMAGE, nudged, flipped)]
        points += [ask(other, IMAGE), noise(jax.random.key(0), IMAGE)]
        draws = np.stack(points)
        distances = np.abs(draws[:, None] - draws[None]).max(-1) + np.eye(len(draws))
        self.assertGreater(distances.min(), 0.1)
        np.testing.assert_array_equal(ask(predict, IMAGE), draws[0])  # and it is pure

    def test_rows_do_not_depend_on_the_batch(self):
        images = np.stack([IMAGE, 1 - IMAGE, IMAGE / 2])
        predict = eot(model(), draws=12, chunk=4)
        close(ask_all(predict, images)[1], ask(predict, images[1]), rtol=1e-5)

    def test_without_keys_the_values_stay(self):
        close(ask(eot(PLAIN, draws=7), IMAGE), PLAIN(IMAGE), rtol=1e-5)

    def test_randomness_of_the_host_is_averaged(self):
        random = np.random.default_rng(0)
        calls = []

        def draw(image):
            calls.append(1)
            return random.normal(size=image.shape[:-3]).astype(np.float32)

        def hosted(weights, image):
            shape = jax.ShapeDtypeStruct((), np.float32)
            fixed = jax.lax.stop_gradient(image)
            drawn = jax.pure_callback(draw, shape, fixed, vmap_method="broadcast_all")
            return linear(weights, image) + drawn

        predict = eot(Partial(hosted, jnp.asarray(WEIGHTS)), draws=400)
        value = jax.block_until_ready(jax.jit(predict)(IMAGE))
        self.assertLen(calls, 400)
        # 5 standard errors of a mean of 400.
        self.assertLess(abs(float(value[0] - PLAIN(IMAGE)[0])), 0.25)
        gradient = jax.jit(jax.grad(lambda x: predict(x)[0]))(IMAGE)
        close(gradient.ravel(), WEIGHTS[0], rtol=1e-4)

    def test_new_keys_do_not_compile_again(self):
        run = jax.jit(lambda predict, image: predict(image))
        for seed in (0, 1):
            run(eot(model(seed), draws=3), IMAGE)
        self.assertEqual(run._cache_size(), 1)

    def test_draws_of(self):
        self.assertEqual(draws_of(eot(model(), draws=5)), 5)
        self.assertEqual((draws_of(model()), draws_of(lambda x: x)), (1, 1))

    @parameterized.parameters(
        ({"draws": 0}, "draws must be an integer"),
        ({"draws": 4, "chunk": 0}, "chunk must be an integer"),
        ({"draws": 4, "chunk": 3}, "chunk must divide draws = 4; got 3"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            eot(PLAIN, **options)
