"""Whether a model can be evaluated by attacks at all."""

from collections.abc import Callable

import jax
import numpy as np

from mspd_jax.attacks import draws_of, is_random
from mspd_jax.evaluate.checks._check import Check
from mspd_jax.evaluate.checks._gradients import check_gradients
from mspd_jax.evaluate.checks._hidden_draws import check_hidden_draws
from mspd_jax.evaluate.checks._inputs import check_inputs
from mspd_jax.evaluate.checks._programs import (
    ROUNDING,
    Subject,
    largest_change,
    logits_at,
    noise,
    subject,
)
from mspd_jax.evaluate.checks._saturation import check_saturation

_TINY = 1e-5
_ALONE = 4


def check_model(
    key: jax.Array,
    predict: Callable,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    clean_gate: float = 0.5,
) -> list[Check]:
    """Ten checks of a model on a few images with their labels.

    randomized                  answers change from call to call, or by a change of 1e-5
    hidden draws                a hash of the image decides what is drawn
    logits                      probabilities are given in their place
    gradients                   zero or not finite
    sign coherence              the gradient turns at each step
    gradient is the derivative  it is that of something else
    saturated pixels            no gradient near black or white
    batch mates                 answers depend on the other images of the batch
    input scale                 another normalization suits the model better
    clean accuracy              below `clean_gate`, going by its 95 % interval

    key: of the noise. predict: [H, W, C] -> [K], a callable pytree or a function; the
    programs are kept by its structure, new weights do not compile again. images:
    [N, H, W, C] in [0, 1], N about 32; labels: int [N]. Costs about 43 N predictions
    and 5 N gradients. A model that passes is not robust: its attacks can be believed.
    """
    if images.ndim != 4 or len(images) < 2 or len(images) != len(labels):
        raise ValueError(
            "images must be [N, H, W, C] with at least 2 images and as many labels; "
            f"got {images.shape} and {len(labels)} labels"
        )
    noise_key, gradient_key, draws_key, edge_key = jax.random.split(key, 4)
    about = subject(predict, images, labels)
    return [
        _randomized(noise_key, about),
        check_hidden_draws(draws_key, about),
        _logits(about),
        *check_gradients(gradient_key, about),
        check_saturation(edge_key, about),
        _batch_mates(about),
        *check_inputs(about, clean_gate=clean_gate),
    ]


def _randomized(key, about: Subject):
    draws = draws_of(about.predict)
    moved = about.images + noise(key, about.images.shape, size=_TINY)
    moved = np.clip(moved, 0.0, 1.0).astype(np.float32)
    change = largest_change(about.logits, logits_at(about.predict, moved))
    # The median: one image on the edge of a rounding step says nothing of randomness.
    jump = float(np.median(change)) / about.spread
    keys = is_random(about.predict) and draws == 1
    parts = [
        "the same logits twice" if about.repeats else "other logits at each call",
        f"a change of {_TINY:.0e} moves them by {jump:.2g} of their spread",
    ]
    if keys:
        parts.append("the model holds random keys")
    if draws > 1:
        parts.append(f"{draws} draws are averaged")
    steady = about.repeats and jump <= ROUNDING
    return Check(
        "randomized",
        bool(draws > 1 or (steady and not keys)),
        ", ".join(parts),
        f"no keys, equal logits, a change of at most {ROUNDING} of their spread; or "
        "averaged draws",
        "average the draws: wrap the model in eot, or attack with autoattack-rand",
    )


def _logits(about: Subject):
    low, high = np.min(about.logits), np.max(about.logits)
    off = np.max(np.abs(np.sum(about.logits, axis=1) - 1.0))
    probabilities = low >= -1e-6 and high <= 1.0 + 1e-6 and off <= 1e-3
    return Check(
        "logits",
        not probabilities,
        f"outputs from {low:.3g} to {high:.3g}, sums off 1 by up to {off:.2g}",
        "not all in [0, 1] with sums within .001 of 1",
        "return the logits: a softmax before the loss makes gradients vanish",
    )


def _batch_mates(about: Subject):
    name, threshold = "batch mates", f"at most {ROUNDING} of the spread of the logits"
    advice = (
        "switch batch normalization to evaluation mode; the logits of an image may "
        "depend on nothing but the image"
    )
    if not about.repeats:
        reason = "nothing: the logits change from call to call anyway"
        return Check(name, None, reason, threshold, advice)
    half = len(about.images) // 2
    others = about.images.copy()
    others[half:] = 1.0 - others[half:]
    mixed = logits_at(about.predict, others)[:half]
    mates = float(np.max(largest_change(about.logits[:half], mixed))) / about.spread
    rows = range(min(_ALONE, len(about.images)))
    single = [logits_at(about.predict, about.images[i : i + 1])[0] for i in rows]
    changes = largest_change(about.logits[: len(single)], np.stack(single))
    alone = float(np.max(changes)) / about.spread
    return Check(
        name,
        max(mates, alone) <= ROUNDING,
        f"logits move by {mates:.2g} of their spread with other images in the batch, "
        f"by {alone:.2g} alone",
        threshold,
        advice,
    )
