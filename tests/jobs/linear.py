"""A linear network, and the job that protects digits from it."""

import jax
from jax.tree_util import Partial

from mspd_jax import data, jobs


def network(weights, image):
    return image.ravel() @ weights


WEIGHTS = jax.random.normal(jax.random.key(0), (64, 10))
PREDICT = Partial(network, WEIGHTS)


def protect(limit, **fields):
    """The job, on so many digits; fields: those that are to be others."""
    source = data.open_source("digits:test", limit=limit)
    fields = {"eps": "0.1", "samples": 2} | fields
    return jobs.Protect(source=source, surrogate=PREDICT, **fields)
