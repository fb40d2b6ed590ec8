"""Objectives of denoisers: mse, stab and clf (Salman et al. 2020).

For denoised smoothing (arXiv 2003.01908): the denoiser D sees image + noise, and a
fixed classifier f in evaluation mode sees what D restores.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.train._augment import add_noise
from mspd_jax.train._objective import Objective, Signals, cross_entropies, fixed

DENOISER_OBJECTIVES = ("mse", "stab", "clf")


def denoiser_objective(
    name: str, *, sigma: float | None = None, classifiers: Sequence[Callable] = ()
) -> Objective:
    """Builds an objective for denoisers by name.

    Args:
      name: "mse", |D(x + noise) - x|^2 averaged over the pixels; "stab", cross-entropy
        between f(D(x + noise)) and the prediction of f on x itself, so that no labels
        are needed; "clf", the same with true labels.
      sigma: standard deviation of the noise in pixels, which is not clipped.
      classifiers: `predict` functions; "stab" and "clf" need one at least. Of a batch,
        example r meets classifier r mod len(classifiers): several of them stand in for
        a black-box classifier (query access). Deviation: the reference takes turns
        batch by batch, which moves D towards one classifier at a time.

    Returns:
      The objective. Raises InputError for what it cannot use.
    """
    if name not in DENOISER_OBJECTIVES:
        known = list(DENOISER_OBJECTIVES)
        raise InputError(f"objective {name!r}: expected one of {known}")
    if sigma is None or not sigma > 0:
        raise InputError(f"`sigma`: expected a positive number, got {sigma}")
    if bool(classifiers) != (name != "mse"):
        wanted = "no classifier" if name == "mse" else "at least one classifier"
        raise InputError(f"objective {name!r} takes {wanted}, got {len(classifiers)}")
    corrupt = Partial(_corrupted, sigma=jnp.asarray(sigma, jnp.float32))
    if name == "mse":
        return Objective(corrupt, Partial(_mse))
    loss = fixed(_cross_entropy, labeled=name == "clf")
    return Objective(corrupt, Partial(loss, classifiers=tuple(classifiers)))


def _mse(forward, batch_stats, images, adversarial, labels):
    del labels
    restored, batch_stats = forward(batch_stats, adversarial)
    return jnp.mean((restored - images) ** 2), Signals(batch_stats, None, None)


def _cross_entropy(
    forward, batch_stats, images, adversarial, labels, *, classifiers, labeled
):
    """No gradient flows through the targets, the predictions on x or the labels."""
    if not labeled:
        logits = jax.lax.stop_gradient(_logits(classifiers, images))
        labels = jnp.argmax(logits, axis=-1)
    restored, batch_stats = forward(batch_stats, adversarial)
    logits = _logits(classifiers, restored)
    loss = cross_entropies(logits, labels).mean()
    return loss, Signals(batch_stats, None, logits)


def _corrupted(key, predict, image, label, *, sigma):
    del predict, label
    return add_noise(key, image, sigma=sigma)


def _logits(classifiers, images) -> jax.Array:
    """[B, K]: row r of classifier r mod len(classifiers)."""
    count = len(classifiers)
    parts = [jax.vmap(f)(images[n::count]) for n, f in enumerate(classifiers)]
    if count == 1:
        return parts[0]
    logits = jnp.zeros((len(images), parts[0].shape[-1]))
    for n, part in enumerate(parts):
        logits = logits.at[n::count].set(part)
    return logits
