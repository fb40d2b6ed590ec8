"""Patch attacks: positions, pixels outside, closed forms, what is kept."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import (
    ascend_in_patch,
    margin,
    patch_pgd,
    patch_positions,
)
from mspd_jax.errors import InputError

SHAPE = (6, 5, 2)
PATCH = 2
KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).uniform(0.2, 0.8, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 60)).astype(np.float32)
EVERY = patch_positions(SHAPE, patch=PATCH)

# One compilation for all weights, positions and floats.
run = jax.jit(patch_pgd, static_argnames=("patch", "steps", "loss"))


def linear(weights, image):
    return weights @ image.reshape(-1)


def wave(weights, image):
    return weights @ jnp.sin(9.0 * image.reshape(-1))


def inside(corner, patch=PATCH, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[corner[0] : corner[0] + patch, corner[1] : corner[1] + patch] = True
    return mask


class PositionsTest(parameterized.TestCase):
    def test_every_place_once(self):
        want = list(itertools.product(range(5), range(4)))
        self.assertEqual([tuple(place) for place in EVERY], want)

    @parameterized.parameters(*range(1, 33))
    def test_all_sizes_lie_inside_and_start_in_the_corners(self, patch):
        last = 32 - patch
        for places in (
            patch_positions((32, 32, 3), patch=patch),
            patch_positions((32, 32, 3), patch=patch, count=9),
        ):
            self.assertEqual(places.min(), 0)
            self.assertEqual(places.max(), last)
            self.assertLen(set(map(tuple, places)), len(places))
        corners = set(itertools.product((0, last), repeat=2))
        self.assertEqual(set(map(tuple, places[: len(corners)])), corners)
        self.assertLen(places, min(9, (last + 1) ** 2))

    @parameterized.parameters((5, 7), (7, 5), (4, 20), (2, 9), (2, 2))
    def test_more_places_extend_fewer_to_all(self, height, width):
        shape, total = (height, width, 1), (height - 1) * (width - 1)
        most = patch_positions(shape, patch=2, count=total + 5)
        every = patch_positions(shape, patch=2)
        self.assertCountEqual(map(tuple, most), map(tuple, every))
        corners = set(itertools.product((0, height - 2), (0, width - 2)))
        self.assertEqual(set(map(tuple, most[: len(corners)])), corners)
        for count in range(1, total + 1):
            some = patch_positions(shape, patch=2, count=count)
            np.testing.assert_array_equal(some, most[:count])

    def test_they_are_spread(self):
        # With 25 places on 29 x 29 none is farther than 7 pixels from one of them; on a
        # square grid of 5 x 5 it is 5, and 25 places in a row would leave 28.
        some = patch_positions((32, 32, 3), patch=4, count=25)
        every = patch_positions((32, 32, 3), patch=4)
        apart = np.linalg.norm(every[:, None] - some[None], axis=-1)
        self.assertLessEqual(apart.min(axis=1).max(), 7)

    @parameterized.parameters(
        ({"patch": 0}, "0 x 0 pixels does not fit"),
        ({"patch": 6}, "6 x 6 pixels does not fit an image of 6 x 5"),
        ({"patch": 2, "count": 0}, "expected 1 or more, got 0"),
    )
    def test_bad_arguments(self, options, message):
        with self.assertRaisesRegex(InputError, message):
            patch_positions(SHAPE, **options)


class SquareTest(parameterized.TestCase):
    def test_nothing_but_the_square_changes(self):
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        for corner in EVERY:
            options = {"patch": PATCH, "positions": corner[None], "steps": 21}
            image = np.asarray(run(KEY, predict, IMAGE, 0, **options).image)
            mask = inside(corner)
            np.testing.assert_array_equal(image[~mask], IMAGE[~mask])
            self.assertGreater(np.abs(image[mask] - IMAGE[mask]).min(), 0)
            self.assertTrue(0 <= image[mask].min() <= image[mask].max() <= 1)

    @parameterized.product(label=(0, 1), corner=((0, 0), (4, 3), (2, 1)))
    def test_linear_model_ends_at_the_sign_of_the_weights(self, label, corner):
        # 20 steps of .05 cross the box from anywhere.
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        places = np.asarray([corner])
        options = {"patch": PATCH, "positions": places, "steps": 21}
        got = run(KEY, predict, IMAGE, label, **options)
        rise = (WEIGHTS[1 - label] - WEIGHTS[label]).reshape(SHAPE)
        want = np.where(inside(corner), rise > 0, IMAGE)
        np.testing.assert_array_equal(got.image, want)
        loss = np.log1p(np.exp(np.sum(want * rise)))
        np.testing.assert_allclose(got.loss, loss, rtol=1e-5)

    @parameterized.parameters(0, 1)
    def test_target_ends_at_the_sign_of_its_weights(self, target):
        # 0 is the label itself: what the loss of the label would raise is lowered.
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        options = {"patch": PATCH, "positions": EVERY[:1], "steps": 21}
        got = run(KEY, predict, IMAGE, 0, target=jnp.array(target), **options)
        rise = (WEIGHTS[target] - WEIGHTS[1 - target]).reshape(SHAPE)
        want = np.where(inside((0, 0)), rise > 0, IMAGE)
        np.testing.assert_array_equal(got.image, want)


def corner_reader(place, image):
    """Wrong only where one channel of one pixel is white and another one is black."""
    pixel = jnp.sum(jnp.where(place, image, 0.0), axis=(0, 1))
    return jnp.stack([jnp.array(0.9), pixel[0] - pixel[1]])


class PositionsTriedTest(parameterized.TestCase):
    @parameterized.parameters((0, 0), (0, 4), (5, 0), (5, 4))
    def test_the_only_vulnerable_place_is_found(self, row, col):
        place = inside((row, col), 1, (6, 5, 1))
        predict = Partial(corner_reader, jnp.array(place))
        options = {"patch": PATCH, "steps": 21}
        found = run(KEY, predict, IMAGE, 0, positions=EVERY, **options)
        self.assertEqual(np.argmax(predict(found.image)), 1)
        corner = min(row, 4), min(col, 3)
        changed = np.any(found.image != IMAGE, axis=-1)
        np.testing.assert_array_equal(changed, inside(corner)[:, :, 0])
        others = EVERY[np.any(EVERY != corner, axis=1)]
        missed = run(KEY, predict, IMAGE, 0, positions=others, **options)
        self.assertEqual(np.argmax(predict(missed.image)), 0)

    def test_success_goes_before_loss(self):
        # The image is wrong as it is, by its corner. A patch there has more of this
        # loss and is no success; one elsewhere changes neither.
        def at_odds(logits, label):
            return -logits[1]

        image, place = IMAGE.copy(), inside((0, 0), 1, (6, 5, 1))
        image[0, 0] = 1.0, 0.0
        predict = Partial(corner_reader, jnp.array(place))
        options = {"patch": PATCH, "positions": EVERY[[0, -1]], "steps": 21}
        got = run(KEY, predict, image, 0, loss=at_odds, **options)
        self.assertEqual(np.argmax(predict(got.image)), 1)

    def test_each_place_draws_as_if_it_were_alone(self):
        predict = Partial(wave, jnp.array(WEIGHTS))
        options = {"patch": PATCH, "steps": 3, "loss": margin}
        together = run(KEY, predict, IMAGE, 0, positions=EVERY, **options)

        def objective(x):
            loss = margin(predict(x), 0)
            return loss, loss > 0

        @jax.vmap
        def alone(number, corner):
            key = jax.random.fold_in(KEY, number)
            options = {"patch": PATCH, "steps": 3, "step_size": 0.05}
            return ascend_in_patch(key, IMAGE, corner, objective, **options)

        each = alone(jnp.arange(len(EVERY)), EVERY)
        best = np.argmax(each.loss)
        self.assertGreater(best, 0)
        np.testing.assert_allclose(together.image, each.image[best], atol=1e-6)
        np.testing.assert_allclose(together.loss, each.loss[best], rtol=1e-5)

    def test_new_places_floats_and_weights_do_not_compile_again(self):
        attack = jax.jit(
            functools.partial(patch_pgd, patch=PATCH, steps=2), static_argnames="loss"
        )
        for seed in range(3):
            places = np.roll(EVERY, seed, axis=0)
            weights = jnp.array(WEIGHTS + seed)
            predict, key = Partial(linear, weights), jax.random.key(seed)
            step_size = 0.05 * seed
            attack(key, predict, IMAGE, seed, positions=places, step_size=step_size)
        self.assertEqual(attack._cache_size(), 1)

    def test_compiled_is_eager(self):
        predict = Partial(wave, jnp.array(WEIGHTS))
        options = {"patch": PATCH, "positions": EVERY[:2], "steps": 2}
        got = run(KEY, predict, IMAGE, 1, **options)
        want = patch_pgd(KEY, predict, IMAGE, 1, **options)
        np.testing.assert_allclose(got.image, want.image, atol=1e-6)
        np.testing.assert_allclose(got.loss, want.loss, rtol=1e-5)


def contrary(x):
    """A success that lowers the loss: it falls where the gradient would raise it."""
    total = jnp.sum(jnp.sin(12.0 * x))
    return total, total < -1.0


class KeptTest(parameterized.TestCase):
    def test_the_best_of_all_points_is_kept(self):
        corner = jnp.array([1, 2])

        def objective(x):
            loss, success = contrary(x[1:3, 2:4])
            return loss, success

        @functools.partial(jax.jit, static_argnames=("steps", "random_start"))
        def ascend(key, x, step_size, **options):
            options |= {"patch": PATCH, "step_size": step_size}
            return ascend_in_patch(key, x, corner, objective, **options)

        chosen = set()
        for seed in range(12):
            # Long steps go back and forth, short ones still rise in the end.
            key, step_size = jax.random.key(seed), (0.3, 0.01)[seed % 2]
            got = ascend(key, IMAGE, step_size, steps=6)
            shape = (PATCH, PATCH, SHAPE[-1])
            points = [IMAGE.copy()]
            points[0][1:3, 2:4] = jax.random.uniform(key, shape)
            for _ in range(6):
                more = {"steps": 1, "random_start": False}
                points.append(
                    np.asarray(ascend(key, points[-1], step_size, **more).last)
                )
            values = [tuple(map(float, objective(x)[::-1])) for x in points]
            best = max(range(7), key=lambda n: values[n])
            chosen.add(best)
            np.testing.assert_allclose(got.image, points[best], atol=1e-6)
            np.testing.assert_allclose(got.last, points[-1], atol=1e-6)
            self.assertEqual(bool(got.success), bool(values[best][0]))
        # First, middle and last points, so that each counts.
        self.assertContainsSubset({0, 6}, chosen)
        self.assertGreater(len(chosen), 2)

    def test_nan_everywhere_returns_the_original_and_says_so(self):
        options = {"patch": PATCH, "positions": EVERY, "steps": 2}
        broken = patch_pgd(KEY, lambda x: x.reshape(-1) * jnp.nan, IMAGE, 0, **options)
        np.testing.assert_array_equal(broken.image, IMAGE)
        self.assertEqual(broken.loss, -np.inf)

    def test_nan_in_some_points_and_gradients_spoils_nothing(self):
        weights = WEIGHTS[1] - WEIGHTS[0]
        weights[1] = 1.0

        def fragile(image):
            x = image.reshape(-1)
            # 0 in value, NaN in the gradient of the first pixel alone.
            nothing = 0.0 * jnp.sqrt(x[0] - jax.lax.stop_gradient(x[0]))
            # All points where the second value is 1 are no numbers.
            broken = jnp.where(x[1] > 0.97, jnp.nan, 0.0)
            return jnp.stack([nothing, jnp.array(weights) @ x + broken])

        places = np.zeros((1, 2), int)
        options = {"patch": PATCH, "positions": places, "steps": 30, "loss": margin}
        got = patch_pgd(KEY, fragile, IMAGE, 0, **options)
        mask = inside((0, 0)).ravel()
        want = np.where(mask, weights > 0, IMAGE.ravel())[2:]
        self.assertTrue(np.isfinite(got.loss))
        self.assertTrue(0 < got.image[0, 0, 0] < 1)
        self.assertLessEqual(got.image[0, 0, 1], 0.97)
        # The others rise as long as the second does.
        self.assertLess(np.abs(got.image.ravel()[2:] - want).max(), 0.75)

    @parameterized.parameters(
        ({"steps": 0}, "steps must be an integer of at least 1; got 0"),
        ({"patch": 6}, "does not fit"),
        ({"positions": np.zeros((0, 2), int)}, "number of positions must be"),
    )
    def test_bad_static_arguments(self, options, message):
        options = {"patch": PATCH, "positions": EVERY} | options
        with self.assertRaisesRegex(ValueError, message):
            patch_pgd(KEY, lambda x: x.reshape(-1), IMAGE, 0, **options)
