"""The mix of attacks: each is that of the attacks room; shares and radii by chance."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import stats

from mspd_jax import attacks, train
from mspd_jax.train import _mix

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 4, 4, 2), np.float32)
LABELS = np.asarray([0, 3, 1], np.int32)
WEIGHTS = RNG.standard_normal((32, 5)).astype(np.float32)
HIDDEN = RNG.standard_normal((32, 32)).astype(np.float32)
EPS = 0.1


def curved(weights, image):
    hidden, head = weights
    return jnp.tanh(image.reshape(-1) @ hidden) @ head


PREDICT = Partial(curved, (jnp.asarray(HIDDEN), jnp.asarray(WEIGHTS)))


def alone(classifier):
    """Attacked as it is: the network in training is not asked."""
    return lambda predict, image: classifier(image)


def attacked(mix, keys, images=IMAGES, labels=LABELS):
    adversary = _mix.mixed_adversary(mix, alone(PREDICT))
    return jax.jit(jax.vmap(lambda k, x, y: adversary(k, None, x, y)))(
        keys, images, labels
    )


def keys_of(count):
    return jax.random.split(jax.random.key(1), count)


class MixTest(parameterized.TestCase):
    @parameterized.parameters(("fgsm", 1), ("bim", 4), ("mim", 4))
    def test_equals_the_attack_of_that_name(self, name, steps):
        mix = train.make_mix({name: 1.0}, eps=[EPS], steps=steps)
        got = attacked(mix, keys_of(3))
        known = name if name == "fgsm" else f"{name}-{steps}"
        attack = attacks.resolve_attack(known, eps=EPS, norm="linf")
        want = [
            attack(jax.random.key(0), PREDICT, x, y).image
            for x, y in zip(IMAGES, LABELS, strict=True)
        ]
        np.testing.assert_allclose(got, np.stack(want), atol=1e-6)

    @parameterized.parameters(("ffgsm", 1, 1.25), ("pgd", 3, 2.5 / 3))
    def test_random_starts_then_signed_steps(self, name, steps, step):
        mix = train.make_mix({name: 1.0}, eps=[EPS], steps=steps)
        keys = keys_of(3)
        got = np.asarray(attacked(mix, keys))
        slope = jax.jit(jax.grad(lambda x, y: attacks.cross_entropy(PREDICT(x), y)))
        for key, image, label, found in zip(keys, IMAGES, LABELS, got, strict=True):
            noise = jax.random.uniform(
                jax.random.split(key, 3)[2], image.shape, minval=-1.0, maxval=1.0
            )
            x = np.clip(image + EPS * noise, 0, 1)
            for _ in range(steps):
                x = x + np.float32(step * EPS) * np.sign(slope(x, label))
                x = np.clip(np.clip(x, image - EPS, image + EPS), 0, 1)
            np.testing.assert_allclose(found, x, atol=1e-6)

    def test_clean_is_the_image_and_all_stay_in_the_ball(self):
        mix = train.make_mix({"clean": 1.0}, eps=[EPS], steps=4)
        np.testing.assert_array_equal(attacked(mix, keys_of(3)), IMAGES)
        shares = dict.fromkeys(train.MIXED, 1 / 6)
        images, labels = np.repeat(IMAGES, 20, 0), np.repeat(LABELS, 20)
        got = attacked(
            train.make_mix(shares, eps=[EPS], steps=4), keys_of(60), images, labels
        )
        self.assertLessEqual(float(np.abs(got - images).max()), EPS + 1e-6)
        self.assertTrue(((got >= 0) & (got <= 1)).all())

    def test_shares_and_radii_are_drawn_as_asked(self):
        # One pixel, a constant slope: clean moves by 0, fgsm by eps to the last digit.
        mix = train.make_mix({"clean": 0.3, "fgsm": 0.7}, eps=[0.1, 0.2, 0.3], steps=5)
        count = 3000
        images = np.full((count, 1, 1, 1), 0.5, np.float32)
        line = Partial(lambda image: jnp.stack([jnp.sum(image), jnp.zeros(())]))
        adversary = _mix.mixed_adversary(mix, alone(line))
        moved = jax.jit(jax.vmap(lambda k, x: adversary(k, None, x, jnp.int32(0))))
        change = 0.5 - np.asarray(moved(keys_of(count), images)).ravel()
        found = [np.sum(np.isclose(change, c, atol=1e-6)) for c in (0, 0.1, 0.2, 0.3)]
        self.assertEqual(sum(found), count)
        # Chi-squared, four classes, 3000 draws, false alarm 1e-4.
        wanted = count * np.asarray([0.3, 0.7 / 3, 0.7 / 3, 0.7 / 3])
        self.assertGreater(stats.chisquare(found, wanted).pvalue, 1e-4)

    def test_an_image_does_not_depend_on_its_batch(self):
        mix = train.make_mix(dict.fromkeys(train.MIXED, 1 / 6), eps=[EPS], steps=3)
        keys = keys_of(3)
        whole = attacked(mix, keys)
        alone = attacked(mix, keys[1:2], IMAGES[1:2], LABELS[1:2])
        np.testing.assert_allclose(whole[1:2], alone, atol=1e-6)

    @parameterized.parameters(
        ({"fgsm": 0.5, "pgd": 0.6}, [0.1], 5, "must sum to 1, they sum to 1.1"),
        ({"fgsm": 0.5}, [0.1], 5, "must sum to 1"),
        ({}, [0.1], 5, "must sum to 1, they sum to 0"),
        ({"clean": np.nan, "pgd": 0.5}, [0.1], 5, "must not be negative"),
        ({"fgsm": 1.5, "pgd": -0.5}, [0.1], 5, "must not be negative"),
        ({"cw": 1.0}, [0.1], 5, "'cw' is none of clean, fgsm"),
        ({"fgsm": 1.0}, [], 5, "every radius must lie in"),
        ({"fgsm": 1.0}, [8.0], 5, "every radius must lie in"),
        ({"pgd": 1.0}, [0.1], 0, "steps must be at least 1"),
    )
    def test_bad_mixes(self, shares, eps, steps, message):
        with self.assertRaisesRegex(ValueError, message):
            train.make_mix(shares, eps=eps, steps=steps)
