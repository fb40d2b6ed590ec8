"""What the tests of certificates certify: a linear network on digits."""

from jax.tree_util import Partial

from mspd_jax import data, jobs
from tests.jobs import linear

SIGMA = 0.25
NOISE = jobs.Smoothing(sigma=SIGMA, samples=120, selection=20, alpha=0.01)
WEIGHTS = linear.WEIGHTS / 8
PREDICT = Partial(linear.network, WEIGHTS)
SOURCE = data.open_source("digits:test", limit=5)
NOISY = jobs.Certify(target=PREDICT, source=SOURCE, method=NOISE)
