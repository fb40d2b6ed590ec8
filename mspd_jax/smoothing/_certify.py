"""Certificates and predictions in one call, for research code."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mspd_jax.models import as_pytree
from mspd_jax.smoothing._certificate import (
    Certificate,
    Prediction,
    certify_votes,
    predict_votes,
)
from mspd_jax.smoothing._checks import check_count, check_sigma
from mspd_jax.smoothing._noise import ESTIMATION
from mspd_jax.smoothing._stopping import stopping_plan
from mspd_jax.smoothing._votes import count_votes, smoothed_votes


def certify(
    key: jax.Array,
    predict: Callable,
    image: jax.Array,
    *,
    sigma: float,
    alpha: float,
    selection: int = 100,
    estimation: int = 10_000,
    chunk: int = 100,
) -> Certificate:
    """Class and certified l2 radius of the smoothed classifier around an image.

    With probability >= 1 - alpha over the noise, for each image: the call abstains, or
    the smoothed class is `label` on the whole open ball of `radius` around it
    (Cohen et al. 2019; see `certify_votes`). Images that can no longer be certified are
    given up early; the others get all `estimation` samples.

        certificate = certify(key, predict, image, sigma=0.25, alpha=0.001)
        certificate.label, certificate.radius

    Args:
      key: image i of several draws from fold_in(key, i).
      predict: [H, W, C] -> [K], a callable pytree or a function.
      image: float [H, W, C], or several [B, H, W, C], which are worked on one after
        the other: memory does not grow with B.
      sigma: of the noise, in pixels.
      alpha: probability that the certificate of an image may be wrong.
      selection, estimation: samples that choose the class, and that bound its
        probability; the defaults are those of Salman et al. 2020 (arXiv 2003.01908).
      chunk: samples at once.

    Returns:
      Certificate of host arrays. Compiles once for each shape, `chunk` and kind of
      `predict`: other weights, sigma, alpha and sample counts do not compile again. No
      gradient.
    """
    plan = stopping_plan(
        selection=selection, estimation=estimation, sigma=sigma, alpha=alpha
    )
    votes = _on_each(_certificate_votes, key, predict, image, sigma, plan, chunk)
    return certify_votes(
        votes.selection,
        votes.estimation,
        num_samples=estimation,
        sigma=sigma,
        alpha=alpha,
    )


def predict_smoothed(
    key: jax.Array,
    predict: Callable,
    image: jax.Array,
    *,
    sigma: float,
    alpha: float,
    num_samples: int = 1_000,
    chunk: int = 100,
) -> Prediction:
    """Class of the smoothed classifier at an image, or abstention.

    With probability >= 1 - alpha over the noise, for each image: the call abstains, or
    `label` is the smoothed class (Cohen et al. 2019; see `predict_votes`).

    Args:
      key, predict, image, sigma, chunk: as in `certify`. The samples are those which it
        estimates with: for an independent answer take another key.
      alpha: probability that the label of an image may be wrong.
      num_samples: all of them are drawn.

    Returns:
      Prediction of host arrays.
    """
    num_samples = check_count("num_samples", num_samples)
    check_sigma(sigma)
    votes = _on_each(
        _prediction_votes, key, predict, image, sigma, np.int32(num_samples), chunk
    )
    return predict_votes(votes, num_samples=num_samples, alpha=alpha)


def _certificate_votes(key, predict, image, sigma, plan, chunk):
    label = jnp.asarray(-1)  # not read: the plan does not know labels
    return smoothed_votes(
        key, predict, image, label, sigma=sigma, plan=plan, chunk=chunk
    )


def _prediction_votes(key, predict, image, sigma, num_samples, chunk):
    return count_votes(
        jax.random.fold_in(key, ESTIMATION),
        predict,
        image,
        sigma=sigma,
        start=0,
        stop=num_samples,
        chunk=chunk,
    )


def _on_each(method, key, predict, image, sigma, plan, chunk):
    check_count("chunk", chunk)
    if np.ndim(image) not in (3, 4) or not np.issubdtype(
        np.asarray(image).dtype, np.floating
    ):
        raise ValueError(
            "image must be float [H, W, C] or [B, H, W, C]; got "
            f"{np.asarray(image).dtype} {np.shape(image)}"
        )
    image, sigma = jnp.asarray(image, jnp.float32), np.float32(sigma)
    votes = _run(method, key, as_pytree(predict), image, sigma, plan, chunk)
    return jax.device_get(votes)


@functools.partial(jax.jit, static_argnames=("method", "chunk"))
def _run(method, key, predict, image, sigma, plan, chunk):
    if image.ndim == 3:
        return method(key, predict, image, sigma, plan, chunk)

    def one(numbered):
        number, x = numbered
        return method(jax.random.fold_in(key, number), predict, x, sigma, plan, chunk)

    # In turn, not together: an image that stops early then costs that much less.
    return lax.map(one, (jnp.arange(image.shape[0]), image))
