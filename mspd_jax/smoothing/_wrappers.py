"""Classifiers made of classifiers: denoised, read from 8 bits, noisy, smoothed."""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.tree_util import Partial

from mspd_jax.models import as_pytree, behind
from mspd_jax.smoothing._checks import check_count
from mspd_jax.smoothing._noise import noise_at


def denoised(predict: Callable, denoiser: Callable) -> Partial:
    """A classifier behind a denoiser, which smoothing can certify as it is.

        x -> predict(denoiser(x))

    Denoised smoothing (Salman et al. 2020, arXiv 2003.01908): a classifier that was
    trained without noise gets radii if a denoiser, trained on noise of the same sigma,
    stands in front of it. The certificates hold whatever the denoiser does.

        predict = smoothing.denoised(predict, models.restorer(denoiser))
        certificate = smoothing.certify(key, predict, image, sigma=0.25, alpha=0.001)

    predict: [H, W, C] -> [K]; denoiser: [H, W, C] -> [H, W, C]; callable pytrees or
    functions. Gradient flows through both.
    """
    return behind(denoiser, predict)


def eight_bit(predict: Callable) -> Partial:
    """A classifier that is shown images as 8-bit files hold them.

        x -> predict(round(255 clip(x, 0, 1)) / 255)

    Such as a service that takes PNG files: it never sees the noise of smoothing as it
    was drawn. Rounding belongs to the classifier, so certificates of what this returns
    hold in full, for images that are not rounded themselves, too. No gradient flows.
    predict: [H, W, C] -> [K], a callable pytree or a function.
    """
    return Partial(_eight_bit, as_pytree(predict))


def noisy(key: jax.Array, predict: Callable, *, sigma: float | jax.Array) -> Partial:
    """One draw of the classifier that smoothing averages: a randomized model.

        x -> predict(x + sigma n),   n ~ N(0, I) drawn from the key

    The key is a leaf: `attacks.reseed` makes other draws and `attacks.eot` averages
    them, so that every attack of the package can be used against a smoothed
    classifier. sigma: in pixels, a leaf. Gradient flows through `predict`.
    """
    return Partial(_noisy, as_pytree(predict), key, jnp.asarray(sigma, jnp.float32))


def soft_smoothed(
    key: jax.Array,
    predict: Callable,
    *,
    sigma: float | jax.Array,
    num_samples: int,
    chunk: int = 1,
) -> Partial:
    """Log-probabilities of the soft smoothed classifier, for attacks and training.

        x -> log 1/m sum_i softmax(predict(x + sigma n_i)),   n_i = noise_at(key, i)

    Cross-entropy of it is the loss of SmoothAdv (Salman et al. 2019, arXiv 1906.04584,
    equation 5), which has a gradient where counting votes has none. The noise is the
    same at every image, as there: a fixed key gives a deterministic function. The key
    is a leaf; certify with another.
    predict: [H, W, C] -> [K]. sigma: in pixels, a leaf. num_samples, chunk: static;
    `chunk` divides num_samples. Summed in the log domain: no underflow. Memory grows
    with `chunk` alone: the backward pass predicts each chunk again, hence a gradient
    costs 2 m predictions and m backward passes.
    """
    check_count("num_samples", num_samples)
    check_count("chunk", chunk)
    if num_samples % chunk:
        raise ValueError(f"chunk must divide num_samples = {num_samples}; got {chunk}")
    sigma = jnp.asarray(sigma, jnp.float32)
    return Partial(_smoothing(num_samples, chunk), as_pytree(predict), key, sigma)


def _eight_bit(predict, image):
    return predict(jnp.round(255.0 * jnp.clip(image, 0.0, 1.0)) / 255.0)


def _noisy(predict, key, sigma, image):
    noise = jax.random.normal(key, image.shape, image.dtype)
    return predict(image + sigma.astype(image.dtype) * noise)


@functools.cache
def _smoothing(num_samples, chunk):
    # One object for each pair: a new one would compile again.
    return functools.partial(_soft_smoothed, num_samples=num_samples, chunk=chunk)


def _soft_smoothed(predict, key, sigma, image, *, num_samples, chunk):
    # prevent_cse is not needed inside scan and costs speed.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def add(total, numbers):
        noise = noise_at(key, numbers, image.shape)
        logits = jax.vmap(predict)(image[None] + sigma * noise)
        # A class that no draw allows: its infinite logits would give NaN gradients.
        each = jnp.maximum(jax.nn.log_softmax(logits, axis=1), never)
        return jnp.logaddexp(total, jax.nn.logsumexp(each, axis=0)), None

    shape = jax.eval_shape(predict, image)
    chex.assert_rank(shape, 1)
    never = jnp.finfo(shape.dtype).min / 4
    numbers = jnp.arange(num_samples).reshape(-1, chunk)
    total, _ = lax.scan(add, jnp.full(shape.shape, -jnp.inf, shape.dtype), numbers)
    mean = total - jnp.log(jnp.asarray(num_samples, shape.dtype))
    return jnp.where(mean > never / 2, mean, -jnp.inf)
