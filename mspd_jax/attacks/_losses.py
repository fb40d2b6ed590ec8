"""What an attack makes large: losses of one logit vector, and what counts as success.

Logits are `[K]`, a label is an integer `[]`; every loss returns a scalar `[]` and is
differentiable in the logits.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import lax

from mspd_jax.attacks._proposal import Loss, Predict


def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
    """Cross-entropy of one prediction, in nats.

        CE(z, y) = log sum_i exp(z_i) - z_y

    A label outside 0..K-1 (such as -1, "unknown") gives NaN and a zero gradient: an
    indexed lookup would silently take another class in its place.

    Deviation: that of optax looks the label up, and takes log sum exp(z) - z_y, which
    loses the digits of a small loss.
    """
    chex.assert_rank([logits, label], [1, 0])
    known = _known(logits, label)
    # A masked sum, not a gather: its gradient is no scatter, and -inf stays harmless.
    # log_softmax, not logsumexp(z) - z_y: that loses the digits of a small loss.
    right = jnp.arange(logits.shape[0]) == label
    surprise = -jnp.sum(jnp.where(right, jax.nn.log_softmax(logits), 0.0))
    return jnp.where(known, surprise, jnp.nan)


def margin(logits: jax.Array, label: jax.Array) -> jax.Array:
    """How far the best wrong logit is above the right one: > 0 iff misclassified.

        M(z, y) = max_{i != y} z_i - z_y

    NaN for a label outside 0..K-1.
    """
    return jnp.where(_known(logits, label), _gap(logits, label), jnp.nan)


def dlr(logits: jax.Array, label: jax.Array) -> jax.Array:
    """Difference of logits ratio: the margin in units of the spread of the logits.

        DLR(z, y) = (max_{i != y} z_i - z_y) / (z_(1) - z_(3) + 1e-12),

    z_(j) the j-th largest (Croce and Hein 2020, arXiv 2003.01690). Above 0 iff
    misclassified; neither a shift nor a scale of the logits changes it, so confident
    models do not hide their gradients. NaN for a label outside 0..K-1.

    Deviation: with two classes there is no third logit, and the one spread that is
    left would make a constant of it: it is the margin itself there.
    """
    gap, ranked = _gap(logits, label), _ranked(logits, 3)
    ratio = _per_spread(gap, ranked, ranked[-1])
    if ranked.shape[0] == 3:
        # A label in third place has the constant 1, whose gradient rounding must not
        # make up: normalized, noise is as long as any gradient.
        constant = (gap == ranked[0] - ranked[2]) & (gap > 0.0)
        ratio = jnp.where(constant, 1.0, ratio)
    return jnp.where(_known(logits, label), ratio, jnp.nan)


def dlr_targeted(logits: jax.Array, label: jax.Array, target: jax.Array) -> jax.Array:
    """Difference of logits ratio of one wrong class: above 0 iff it beats the label.

        DLR(z, y, t) = (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12)

    (Croce and Hein 2020, arXiv 2003.01690.) Shift and scale as in `dlr`. NaN for a
    label or target outside 0..K-1.

    Deviation: with three classes the mean of z_(2) and z_(3) is taken, since with
    z_(3) alone the worst target has the constant -1; with two no denominator is left.
    """
    chex.assert_rank([logits, label, target], [1, 0, 0])
    classes = jnp.arange(logits.shape[0])
    gap = jnp.sum(jnp.where(classes == target, logits, 0.0))
    gap = gap - jnp.sum(jnp.where(classes == label, logits, 0.0))
    known = _known(logits, label) & _known(logits, target)
    ranked = _ranked(logits, 4)
    ratio = _per_spread(gap, ranked, jnp.mean(ranked[-2:]))
    return jnp.where(known, ratio, jnp.nan)


def objective(
    logits: jax.Array,
    label: jax.Array,
    *,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> jax.Array:
    """What an attack maximizes: the loss of the label, or minus that of the target."""
    if target is None:
        return loss(logits, label)
    return -loss(logits, jnp.asarray(target))


def fooled(
    logits: jax.Array, label: jax.Array, *, target: jax.Array | int | None = None
) -> jax.Array:
    """Whether the attack succeeded, bool []: class other than label, or the target.

    NaN logits are no decision at all, hence never the right one (nor the target).
    """
    decided = ~jnp.any(jnp.isnan(logits))
    prediction = jnp.argmax(logits)
    if target is None:
        return ~decided | (prediction != label)
    return decided & (prediction == target)


def loss_and_success(
    predict: Predict,
    label: jax.Array,
    *,
    target: jax.Array | int | None = None,
    loss: Loss = cross_entropy,
) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    """The function x -> (`objective`, `fooled`) of what the model says of x."""

    def value(x):
        logits = predict(x)
        success = fooled(logits, label, target=target)
        return objective(logits, label, target=target, loss=loss), success

    return value


def _known(logits, label):
    return (label >= 0) & (label < logits.shape[0])


def _gap(logits, label):
    chex.assert_rank([logits, label], [1, 0])
    right = jnp.arange(logits.shape[0]) == label
    best_wrong = jnp.max(jnp.where(right, -jnp.inf, logits))
    return best_wrong - jnp.sum(jnp.where(right, logits, 0.0))


def _ranked(logits, count):
    """The `count` largest logits, in order; all of them if there are fewer."""
    count = min(count, logits.shape[0])
    order = lax.top_k(lax.stop_gradient(logits), count)[1]
    # Masked sums: as in `cross_entropy`.
    here = order[:, None] == jnp.arange(logits.shape[0])[None, :]
    return jnp.sum(jnp.where(here, logits[None, :], 0.0), axis=1)


def _per_spread(gap, ranked, low):
    """The gap in units of z_(1) - low; as it is with less than three classes."""
    if ranked.shape[0] < 3:
        return gap
    return gap / (ranked[0] - low + 1e-12)
