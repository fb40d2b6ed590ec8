"""No attack changes the smoothed class inside the certified radius; at twice, some do.

A network with one hidden layer on images of 3 x 3, smoothed and certified, then
attacked in l2 with its exact gradient under noise. What the attacks return is
classified under fresh noise.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import apgd, cross_entropy, eot, pgd
from mspd_jax.models import behind
from mspd_jax.smoothing import (
    ABSTAIN,
    certify,
    eight_bit,
    noisy,
    predict_smoothed,
    soft_smoothed,
)

SIGMA = 0.25
# Every certificate and every judgment errs with at most this probability. Twelve of
# the former and 72 of the latter for each model: false alarm below 1e-4 per model.
ALPHA = 1e-6
SHAPE = (3, 3, 1)
COUNT = 12


def network(weights, image):
    hidden = jnp.tanh(weights[0] @ (image.reshape(-1) - 0.5))
    return weights[1] @ hidden


def shrink(image):
    """A denoiser of sorts: the mean of the image, and of its rows."""
    return 0.5 * image + 0.5 * jnp.mean(image, axis=1, keepdims=True)


RANDOM = np.random.default_rng(1)
WEIGHTS = (
    jnp.asarray(RANDOM.normal(size=(32, 9)), jnp.float32),
    jnp.asarray(RANDOM.normal(size=(3, 32)), jnp.float32),
)
IMAGES = jnp.asarray(RANDOM.uniform(0, 1, (COUNT, *SHAPE)), jnp.float32)
PLAIN = Partial(network, WEIGHTS)
MODELS = {
    "network": PLAIN,
    "denoised": behind(shrink, PLAIN),
    "eight_bit": eight_bit(PLAIN),
}
# Rounding has no gradient: there the attack takes that of the model without it.
GRADIENTS = MODELS | {"eight_bit": PLAIN}


def soft(predict):
    key = jax.random.key(10)
    return soft_smoothed(key, predict, sigma=SIGMA, num_samples=128, chunk=128)


def averaged(predict):
    return eot(noisy(jax.random.key(11), predict, sigma=SIGMA), draws=32, chunk=32)


ATTACKS = {
    "pgd": (functools.partial(pgd, steps=20), soft),
    "apgd": (functools.partial(apgd, steps=20), soft),
    "eot": (functools.partial(pgd, steps=20), averaged),
}


@functools.partial(jax.jit, static_argnames=("attack", "loss"))
def attack_all(key, predict, labels, radii, *, attack, loss=cross_entropy):
    keys = jax.random.split(key, COUNT)
    return jax.vmap(
        lambda k, x, y, eps: attack(k, predict, x, y, eps=eps, norm="l2", loss=loss)
    )(keys, IMAGES, labels, radii).image


@pytest.mark.slow
class SandwichTest(parameterized.TestCase):
    @parameterized.parameters(*MODELS)
    def test_certificates_hold(self, name):
        predict = MODELS[name]
        claims = certify(
            jax.random.key(1),
            predict,
            IMAGES,
            sigma=SIGMA,
            alpha=ALPHA,
            estimation=4_000,
            chunk=500,
        )
        claimed = claims.label != ABSTAIN
        self.assertGreaterEqual(claimed.sum(), 8)
        labels = jnp.asarray(claims.label, jnp.int32)
        changed = {}
        for scale in (1.0, 2.0):
            changed[scale] = np.zeros(COUNT, bool)
            for number, (attack, smooth) in enumerate(ATTACKS.values()):
                points = attack_all(
                    jax.random.key(2),
                    smooth(GRADIENTS[name]),
                    labels,
                    jnp.asarray(0.999 * scale * claims.radius, jnp.float32),
                    attack=attack,
                )
                change = np.float64(points) - np.float64(IMAGES)
                distance = np.linalg.norm(change.reshape(COUNT, -1), axis=1)
                self.assertTrue(
                    np.all(distance[claimed] < scale * claims.radius[claimed])
                )
                # Fresh noise, for each attack and scale.
                key = jax.random.key(100 + number + int(10 * scale))
                got = predict_smoothed(
                    key,
                    predict,
                    points,
                    sigma=SIGMA,
                    alpha=ALPHA,
                    num_samples=1_000,
                    chunk=500,
                )
                other = (got.label != ABSTAIN) & (got.label != claims.label)
                changed[scale] |= claimed & other
        self.assertEqual(changed[1.0].sum(), 0, claims)
        # The attacks work: this test would see a radius that is too large.
        self.assertGreaterEqual(changed[2.0].sum(), 3)
