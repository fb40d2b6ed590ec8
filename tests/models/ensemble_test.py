"""The mean of the probabilities of several classifiers: values, gradients, leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from scipy import special

from mspd_jax import models
from mspd_jax.errors import InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, 3, 2, 1), np.float32)
# The second is sure where the first is not: means of logits would be others.
WEIGHTS = np.stack([RNG.normal(size=(6, 5)), 30 * RNG.normal(size=(6, 5))])
WEIGHTS = WEIGHTS.astype(np.float32)


def linear(weights, image):
    return image.reshape(-1) @ weights


def members(weights=WEIGHTS):
    return [Partial(linear, jnp.asarray(each)) for each in weights]


def log_mean(image):
    """In float64, of probabilities that do not underflow there."""
    logits = image.reshape(-1).astype(np.float64) @ WEIGHTS
    return np.log(special.softmax(logits, axis=-1).mean(axis=0))


def test_softmax_is_the_mean_of_probabilities():
    logits = jax.jit(jax.vmap(models.ensemble(members())))(IMAGES)
    want = np.stack([log_mean(image) for image in IMAGES])
    np.testing.assert_allclose(logits, want, rtol=1e-5, atol=1e-5)
    means = special.softmax(np.asarray(logits, np.float64), axis=-1)
    np.testing.assert_allclose(means, np.exp(want), rtol=1e-4, atol=1e-7)


def test_gradient_is_that_of_differences():
    predict, image = models.ensemble(members()), IMAGES[0]
    weight, direction = RNG.normal(size=5), RNG.normal(size=image.shape)
    found = jax.grad(lambda x: jnp.vdot(predict(x), jnp.float32(weight)))(image)
    ahead, behind = (log_mean(image + s * direction) for s in (1e-6, -1e-6))
    slope = (ahead - behind) @ weight / 2e-6
    np.testing.assert_allclose(np.vdot(found, direction), slope, rtol=1e-3)


def test_nothing_underflows_and_what_is_ruled_out_has_no_gradient():
    def sure(image):
        logits = jnp.asarray([0.0, -500.0, 0.0]) * (1 + image.sum())
        return jnp.where(jnp.arange(3) == 2, -jnp.inf, logits)

    predict = models.ensemble([sure, sure])
    image = jnp.zeros((1, 1, 1))
    logits = predict(image)
    np.testing.assert_allclose(logits[:2], [0.0, -500.0])
    assert logits[2] < -1e30
    gradient = jax.grad(lambda x: predict(x)[1] + jax.nn.logsumexp(predict(x)))(image)
    np.testing.assert_allclose(gradient, [[[-500.0]]])


def test_weights_are_leaves_and_others_do_not_recompile():
    run = jax.jit(lambda predict, image: predict(image))
    first = run(models.ensemble(members()), IMAGES[0])
    second = run(models.ensemble(members(2 * WEIGHTS)), IMAGES[0])
    assert run._cache_size() == 1
    assert np.abs(first - second).max() > 0.1
    assert len(jax.tree.leaves(models.ensemble(members()))) == 2


def test_members_that_are_no_pytrees_and_one_alone():
    plain = models.ensemble([lambda image: linear(WEIGHTS[0], image)])
    want = jax.nn.log_softmax(linear(WEIGHTS[0], IMAGES[0]))
    np.testing.assert_allclose(plain(IMAGES[0]), want, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "one member or more, got none"),
        (
            [*members(), Partial(linear, WEIGHTS[0][:, :4])],
            r"got the shapes \(5,\), \(",
        ),
        ([lambda image: image], r"logits \[K\] .* got the shapes \(3, 2, 1\)"),
    ],
)
def test_what_are_no_members_is_refused(given, expected):
    with pytest.raises(InputError, match=expected) as caught:
        models.ensemble(given)(IMAGES[0])
    assert "\n" not in str(caught.value)
