"""A random size and place: against interpolation by hand, and what models see."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import eot, is_random
from mspd_jax.defenses import random_resize
from mspd_jax.models import behind
from tests.defenses.contract import check_contract, pictures

KEY = jax.random.key(0)
draw = jax.jit(random_resize)


def brightness(image):
    return jnp.stack([jnp.mean(image), jnp.max(image)])


def by_hand(image, height, width):
    """Linear between pixel centers, in float64."""
    rows = (np.arange(height) + 0.5) * image.shape[0] / height - 0.5
    columns = (np.arange(width) + 0.5) * image.shape[1] / width - 0.5
    one_way = np.apply_along_axis(
        lambda line: np.interp(rows, np.arange(len(line)), line), 0, np.float64(image)
    )
    return np.apply_along_axis(
        lambda line: np.interp(columns, np.arange(len(line)), line), 1, one_way
    )


class RandomResizeTest(parameterized.TestCase):
    def test_is_the_image_smaller_at_some_place_on_black(self):
        # White shows where the image of the same key was put.
        image = np.random.default_rng(0).uniform(0.2, 1, (8, 12, 3)).astype(np.float32)
        white, sizes = np.ones_like(image), set()
        for key in jax.random.split(KEY, 12):
            shown = np.asarray(draw(key, white, least=0.5))[..., 0] > 0
            rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
            height, width = len(rows), len(columns)
            want = np.zeros(image.shape)
            want[np.ix_(rows, columns)] = by_hand(image, height, width)
            got = draw(key, image, least=0.5)
            np.testing.assert_allclose(got, want, atol=1e-5)
            sizes.add((height, width))
        self.assertGreater(len(sizes), 2)
        # All of it is left where that is the least, and nothing was compiled again.
        compiled = draw._cache_size()
        np.testing.assert_allclose(draw(KEY, image, least=1.0), image, atol=1e-6)
        self.assertEqual(draw._cache_size(), compiled)

    def test_sizes_and_places_are_uniform(self):
        # 6,000 draws: sides of 5 to 10, each with probability 1/6, and of the 6 places
        # of side 5 each with 1/6 of about 1,000. Within 5 standard errors; a false
        # alarm in any of 12 shares: 7e-6.
        white = jnp.ones((10, 10, 1))
        many = jax.jit(
            jax.vmap(lambda key: random_resize(key, white, least=0.5)[..., 0] > 0)
        )
        shown = np.asarray(many(jax.random.split(KEY, 6_000)))
        sides = shown.any(axis=2).sum(axis=1)
        np.testing.assert_array_equal(np.unique(sides), np.arange(5, 11))
        tops = shown.any(axis=2).argmax(axis=1)[sides == 5]
        for values, first in ((sides, 5), (tops, 0)):
            shares = np.bincount(values - first, minlength=6) / len(values)
            error = np.sqrt(1 / 6 * 5 / 6 / len(values))
            np.testing.assert_allclose(shares, 1 / 6, atol=5 * error)

    def test_makes_a_randomized_model_whose_mean_attacks_see(self):
        transform = Partial(random_resize, KEY, least=jnp.float32(0.5))
        predict = behind(transform, brightness)
        self.assertTrue(is_random(predict))
        self.assertFalse(is_random(behind(lambda x: x, brightness)))
        white = jnp.ones((10, 10, 1))
        # White at side L of 5..10 has brightness (L / 10)^2. 2,000 draws, within 5
        # standard errors: a false alarm of 6e-7.
        shares = (np.arange(5, 11) / 10) ** 2
        got = jax.jit(eot(predict, draws=2_000, chunk=500))(white)
        np.testing.assert_allclose(
            got[0], shares.mean(), atol=5 * shares.std() / np.sqrt(2_000)
        )
        np.testing.assert_allclose(got[1], 1.0, rtol=1e-5)

    def test_contract(self):
        transform = Partial(random_resize, jax.random.key(1), least=0.6)
        alone = Partial(draw, jax.random.key(1), least=0.6)
        check_contract(self, transform, pictures((8, 12, 3)), alone=alone)

    @parameterized.parameters(0.0, -0.5, 1.1, float("nan"))
    def test_bad_least(self, least):
        message = f"least must be above 0 and at most 1; got {least}"
        with self.assertRaisesRegex(ValueError, message):
            random_resize(KEY, jnp.ones((4, 4, 1)), least=least)
