"""What the checks of a model compute on the device: three programs, shared by all."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.attacks import cross_entropy
from mspd_jax.models import as_pytree


class Subject(NamedTuple):
    """A model on its images, and what all checks need to know of it.

    Attributes:
      predict: the model, a callable pytree.
      images: float32 [N, H, W, C]; labels: int32 [N].
      logits: float64 [N, K], at the images.
      spread: float, the median over the images of largest minus smallest logit, the
        unit of changes of logits; at least 1e-30.
      repeats: whether asking again gave the same logits.
    """

    predict: Callable
    images: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    spread: float
    repeats: bool


# A change of this part of the spread is rounding: batches of another size, or devices
# that add in another order. Half precision stays below it.
ROUNDING = 0.02


def subject(predict, images, labels) -> Subject:
    """Asks a model twice."""
    predict = as_pytree(predict)
    images, labels = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    logits, again = logits_at(predict, images), logits_at(predict, images)
    with np.errstate(invalid="ignore"):
        spreads = np.max(logits, axis=1) - np.min(logits, axis=1)
    spreads = spreads[np.isfinite(spreads)]
    spread = max(float(np.median(spreads)) if spreads.size else 0.0, 1e-30)
    repeats = float(np.max(largest_change(logits, again))) <= ROUNDING * spread
    return Subject(predict, images, labels, logits, spread, repeats)


def logits_at(predict, images) -> np.ndarray:
    """Logits of a batch, float64 [N, K] on the host."""
    return np.asarray(jax.device_get(_logits(predict, images)), np.float64)


def gradients_at(predict, images, cotangents) -> np.ndarray:
    """Gradients of `sum_k cotangents[i, k] logits_k` at each image, float64."""
    cotangents = np.asarray(cotangents, np.float32)
    gradients = _gradients(predict, np.asarray(images, np.float32), cotangents)
    return np.asarray(jax.device_get(gradients), np.float64)


def cross_entropy_cotangents(logits, labels) -> np.ndarray:
    """Gradient of the cross-entropy in the logits, as an attack computes it."""
    found = _cotangents(np.asarray(logits, np.float32), np.asarray(labels, np.int32))
    return np.asarray(jax.device_get(found))


def margin_cotangents(logits, labels) -> np.ndarray:
    """+1 at the best wrong class and -1 at the label: [N, K].

    The class is held fixed, so that the function is smooth where the network is. Unlike
    the cross-entropy it does not fade where the model is sure of itself.
    """
    rows = np.arange(len(labels))
    wrong = np.nan_to_num(logits)
    wrong[rows, labels] = -np.inf
    cotangents = np.zeros(logits.shape, np.float32)
    cotangents[rows, labels] = -1.0
    cotangents[rows, np.argmax(wrong, axis=1)] = 1.0
    return cotangents


def right(logits, labels) -> np.ndarray:
    """Which images are classified rightly, bool [N]; NaN never is."""
    decided = ~np.any(np.isnan(logits), axis=1)
    return decided & (np.argmax(np.nan_to_num(logits), axis=1) == labels)


def largest_change(logits, other) -> np.ndarray:
    """The largest change of a logit of each image, [N]; inf where one is not finite."""
    with np.errstate(invalid="ignore"):
        change = np.max(np.abs(logits - other), axis=1)
    return np.where(np.isfinite(change), change, np.inf)


@jax.jit
def _logits(predict, images):
    return jax.vmap(predict)(images)


@jax.jit
def _gradients(predict, images, cotangents):
    def one(image, cotangent):
        _, pull = jax.vjp(predict, image)
        return pull(cotangent)[0]

    return jax.vmap(one)(images, cotangents)


_cotangents = jax.jit(jax.vmap(jax.grad(cross_entropy)))


def noise(key, shape, *, size) -> np.ndarray:
    """Uniform noise of at most `size` per pixel, float32."""
    return np.asarray(size * jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0))
