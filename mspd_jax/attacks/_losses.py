"""What an attack makes large: losses of one logit vector, and what counts as success.

Logits are `[K]`, a label is an integer `[]`; every loss returns a scalar `[]` and is
differentiable in the logits.
"""

import chex
import jax
import jax.numpy as jnp


def cross_entropy(logits, label) -> jax.Array:
    """Cross-entropy of one prediction, in nats.

        CE(z, y) = log sum_i exp(z_i) - z_y

    A label outside 0..K-1 (such as -1, "unknown") gives NaN and a zero gradient: an
    indexed lookup would silently take another class in its place.
    """
    return jnp.where(_known(logits, label), _surprise(logits, label), jnp.nan)


def margin(logits, label) -> jax.Array:
    """How far the best wrong logit is above the right one: > 0 iff misclassified.

        M(z, y) = max_{i != y} z_i - z_y

    NaN for a label outside 0..K-1.
    """
    chex.assert_rank([logits, label], [1, 0])
    right = jnp.arange(logits.shape[0]) == label
    best_wrong = jnp.max(jnp.where(right, -jnp.inf, logits))
    gap = best_wrong - jnp.sum(jnp.where(right, logits, 0.0))
    return jnp.where(_known(logits, label), gap, jnp.nan)


def objective(logits, label, *, target=None, loss=cross_entropy) -> jax.Array:
    """What an attack maximizes: the loss of the label, or minus that of the target."""
    if target is None:
        return loss(logits, label)
    return -loss(logits, target)


def fooled(logits, label, *, target=None) -> jax.Array:
    """Whether the attack succeeded, bool []: class other than label, or the target.

    NaN logits are no decision at all, hence never the right one (nor the target).
    """
    decided = ~jnp.any(jnp.isnan(logits))
    prediction = jnp.argmax(logits)
    if target is None:
        return ~decided | (prediction != label)
    return decided & (prediction == target)


def _known(logits, label):
    return (label >= 0) & (label < logits.shape[0])


def _surprise(logits, label):
    chex.assert_rank([logits, label], [1, 0])
    # A masked sum, not a gather: its gradient is no scatter, and -inf stays harmless.
    # log_softmax, not logsumexp(z) - z_y: that loses the digits of a small loss.
    right = jnp.arange(logits.shape[0]) == label
    return -jnp.sum(jnp.where(right, jax.nn.log_softmax(logits), 0.0))
