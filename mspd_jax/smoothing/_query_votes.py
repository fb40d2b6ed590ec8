"""Votes of a classifier that can only be asked: noise here, answers from there."""

import functools
import hashlib
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.models import as_pytree
from mspd_jax.query import Access, QueryLog, answer, logged_labels
from mspd_jax.smoothing._checks import check_sigma
from mspd_jax.smoothing._noise import ESTIMATION, SELECTION, noise_at
from mspd_jax.smoothing._stopping import SamplingPlan
from mspd_jax.smoothing._votes import Votes

_STAGES = {SELECTION: "selection", ESTIMATION: "estimation"}
# Samples looked up in the log at once: bounds memory whatever the plan.
_LOOKED_UP = 2**16


def query_votes(
    key: jax.Array,
    access: Access,
    image: jax.Array,
    label: jax.Array,
    *,
    index: int,
    sigma: float,
    plan: SamplingPlan,
    log: QueryLog,
    denoiser: Callable | None = None,
    denoiser_hash: str | None = None,
) -> Votes:
    """The votes of `smoothed_votes`, from a classifier behind `access`, on the host.

    Sample i of a stage is image + sigma noise_at(fold_in(key, stage), i), denoised if
    there is a denoiser, on the device; its label is what the classifier answers. Rounds
    and rules of `plan` are the same, so the votes of a classifier that is also a
    `predict` are those of `smoothed_votes`, up to rounding of its input.
    Labels that are no class count in `drawn` alone: votes against.

    Answers are looked up in `log` and otherwise asked for and noted query by query, so
    that after a kill no sample is asked again, nor for another alpha, a smaller plan or
    other rules of stopping. The noise of a sample does not depend on them: certificates
    of one log under several settings share their samples, and hold each on its own.
    Answers are used for the same classifier (`name`, classes), key, sigma, image, 8-bit
    rounding and denoiser only.

    Args:
      key, image, label, sigma, plan: as in `smoothed_votes`.
      access: the classifier. If it is offline (no `ask`), InputError if an answer is
        missing from the log.
      index: of the image in its data set, for the log.
      log: the answers so far.
      denoiser: [H, W, C] -> [H, W, C], or None. Build it once: each new function
        compiles.
      denoiser_hash: what distinguishes it from others, such as `models.function_hash`.

    Returns:
      Votes of NumPy arrays.
    """
    chex.assert_rank([image, label], [3, 0])
    check_sigma(sigma)
    if (denoiser is None) != (denoiser_hash is None):
        raise ValueError(
            "denoiser and denoiser_hash must be given together; got "
            f"{denoiser!r} and {denoiser_hash!r}"
        )
    pixels = np.asarray(image, np.float32)
    head = _head(key, access, pixels, sigma, denoiser_hash)
    denoiser = None if denoiser is None else as_pytree(denoiser)

    def ask(stage_key, numbers):
        """The labels of samples, query by query."""
        size = access.batch_size
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            # Always whole queries: one program. Repeated samples are not asked for.
            padded = np.pad(some, (0, size - len(some)), mode="edge")
            images = _noisy_images(
                stage_key, denoiser, pixels, np.float32(sigma), jnp.asarray(padded)
            )
            yield answer(access, np.asarray(images)[: len(some)])

    def count(stage, start, stop):
        """Votes of the samples start ... stop - 1 of a stage."""
        stage_key = jax.random.fold_in(key, stage)
        votes = np.zeros(access.num_classes, np.int32)
        for first in range(start, stop, _LOOKED_UP):
            labels = logged_labels(
                log,
                np.arange(first, min(first + _LOOKED_UP, stop), dtype=np.int32),
                None if access.ask is None else functools.partial(ask, stage_key),
                index=index,
                head=head,
                stage=_STAGES[stage],
            )
            # A file may hold labels of more classes than there are: no class.
            named = labels[(labels >= 0) & (labels < access.num_classes)]
            votes += np.bincount(named, minlength=access.num_classes).astype(np.int32)
        return votes

    selection = count(SELECTION, 0, int(plan.selection))
    chosen = int(np.argmax(selection))
    votes, drawn = np.zeros_like(selection), 0
    if not (plan.known_label and chosen != int(label) >= 0):
        for end, futile in zip(plan.ends.tolist(), plan.futile.tolist(), strict=True):
            votes = votes + count(ESTIMATION, drawn, end)
            drawn = end
            if votes[chosen] <= futile or votes[chosen] >= plan.enough:
                break
    return Votes(selection, votes, np.int32(drawn))


@jax.jit
def _noisy_images(key, denoiser, image, sigma, numbers):
    images = image[None] + sigma * noise_at(key, numbers, image.shape)
    return images if denoiser is None else jax.vmap(denoiser)(images)


def _head(key, access, image, sigma, denoiser_hash):
    """Everything that an answer depends on, as JSON types."""
    first = jax.random.fold_in(jax.random.fold_in(key, SELECTION), 0)
    shape = f"{list(image.shape)};".encode()
    return {
        "classifier": access.name,
        "classes": list(access.class_names or ()) or access.num_classes,
        "eight_bit": access.eight_bit,
        "sigma": float(np.float32(sigma)),
        "denoiser": denoiser_hash,
        "image": hashlib.sha256(shape + image.tobytes()).hexdigest(),
        "key": jax.random.key_data(key).ravel().tolist(),
        # Settings of JAX make other noise of the same key; its bits show that.
        "noise": np.asarray(_bits(first)).tolist(),
    }


@jax.jit
def _bits(key):
    return jax.random.bits(key, (2, 2)).ravel()
