"""Gradient maps: what a classifier's loss says of each pixel, without the true label.

The Two-stream Restoration Network (arXiv 2202.01117) reads the adversarial image
together with an estimate of the gradient that made it. The label is unknown when the
image arrives, so the loss is taken for a label that a rule puts in its place.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from mspd_jax.models import LABEL_RULES


def gradient_map(predict: Callable, image: jax.Array, *, rule: str) -> jax.Array:
    """The gradient of the cross-entropy at an image, by a rule for the label.

        map = g / max |g|,    g = grad_x CE(f(x), q),   CE(z, q) = -sum_k q_k log p_k(z)

    with p = softmax(z) and the label distribution q by `rule`:
        predicted   one-hot of argmax f(x)
        uniform     1 / K for every class
        softmax     p itself, moving with x, so that g is the gradient of the entropy of
                    p. (With q held at p the gradient is exactly zero: p - q = 0.)
        all         every class in turn: K maps, each with a maximum of its own

    image: [H, W, C]; predict: [H, W, C] -> [K]. Returns [H, W, C * maps] in [-1, 1],
    the maps of "all" one after the other; a gradient of zero (and one that is not
    finite) makes a map of zeros. Costs one prediction, and one backward pass for each
    map. Gradient flows through the map, that is, second derivatives of `predict`; the
    maximum is differentiated too. Wrap it in stop_gradient for the attacker who leaves
    them out.
    """
    if rule not in LABEL_RULES:
        raise ValueError(f"rule must be one of {list(LABEL_RULES)}, got {rule!r}")
    chex.assert_rank(image, 3)
    logits, pull = jax.vjp(predict, image)
    chex.assert_rank(logits, 1)
    if rule == "all":
        eye = jnp.eye(len(logits), dtype=logits.dtype)
        cotangents = jax.nn.softmax(logits)[None] - eye
        gradients = jax.vmap(lambda cotangent: pull(cotangent)[0])(cotangents)
        return jnp.concatenate(jax.vmap(_scaled)(gradients), axis=-1)
    (gradient,) = pull(_cotangent(logits, rule))
    return _scaled(gradient)


def map_count(rule: str, num_classes: int) -> int:
    """How many maps a rule makes."""
    if rule not in LABEL_RULES:
        raise ValueError(f"rule must be one of {list(LABEL_RULES)}, got {rule!r}")
    return num_classes if rule == "all" else 1


def _cotangent(logits, rule):
    """The gradient of the loss in the logits, [K]."""
    log_p = jax.nn.log_softmax(logits)
    p = jnp.exp(log_p)
    if rule == "softmax":
        entropy = -jnp.sum(p * jnp.maximum(log_p, -1e30))
        return -p * (jnp.maximum(log_p, -1e30) + entropy)
    if rule == "uniform":
        return p - 1.0 / len(logits)
    return p - jax.nn.one_hot(jnp.argmax(logits), len(logits), dtype=logits.dtype)


def _scaled(gradient):
    """Divided by its largest absolute value; zero where there is none."""
    gradient = jnp.where(jnp.all(jnp.isfinite(gradient)), gradient, 0.0)
    largest = jnp.max(jnp.abs(gradient))
    return gradient / jnp.where(largest > 0.0, largest, 1.0)
