"""What the tests of certificates certify: a linear network on digits."""

import jax
from jax.tree_util import Partial

from mspd_jax import data, jobs

SIGMA = 0.25
NOISE = jobs.Smoothing(sigma=SIGMA, samples=120, selection=20, alpha=0.01)
WEIGHTS = jax.random.normal(jax.random.key(0), (64, 10)) / 8


def network(weights, image):
    return image.ravel() @ weights


PREDICT = Partial(network, WEIGHTS)
SOURCE = data.open_source("digits:test", limit=5)
NOISY = jobs.Certify(target=PREDICT, source=SOURCE, method=NOISE)
