"""Whether a model without keys is randomized all the same: by a hash of its image."""

import jax
import numpy as np

from mspd_jax.attacks import draws_of
from mspd_jax.evaluate.checks._check import Check
from mspd_jax.evaluate.checks._programs import Subject, logits_at

RETURN = 0.4
SMALLEST = 0.01
_LEVELS = (0.005, 0.02, 0.05)  # one step, as part of the way to the noise image
_STEPS = 6


def check_hidden_draws(key: jax.Array, about: Subject) -> Check:
    """Whether logits wander along a straight path, as if drawn anew at each point.

    From each image x six equal steps lead towards a noise image; f_0 to f_6 are the
    logits on the way:

        ratio = |f_6 - f_0|^2 / sum_i |f_i - f_{i-1}|^2

    A function that is nearly linear over the path has a ratio of 6, one that falls in
    many small steps (rounding, JPEG) of about 1, because what is rounded follows the
    image all the same. A model that hashes the coarse image into the key of its crops,
    noise or sizes gives independent draws, which lead nowhere: 1/6. The ratio is the
    median over the images, and counts where a step moves the logits by at least 1 % of
    their spread. Steps of three lengths, about .5/255, 2/255 and 5/255 a pixel; the
    noise is brighter than dark images and darker than bright ones, so that a hash of
    the mean changes too. Not seen: a hash so coarse that most of these steps leave it
    as it is, and draws that hardly matter. False alarms: none in 560 (28 sound models
    of digits, 16 of them behind JPEG, fewer bits and other purifiers; 10 batches; 2
    keys each); lowest ratio of 120 behind JPEG and fewer bits that counted: .85.

    key: of the noise. Costs 18 N predictions.
    """
    name = "hidden draws"
    threshold = (
        f"at least {RETURN} where a step moves the logits by {SMALLEST:.0%} or more of "
        f"their spread ({_STEPS} for smooth models, 1 for rounding, 1/{_STEPS} for a "
        "draw at each step)"
    )
    advice = (
        "the model draws at random by a hash of its image: give it its key (a leaf of "
        "the model), average the draws with eot, or attack with autoattack-rand"
    )
    reason = None
    if draws_of(about.predict) > 1:
        reason = "nothing: averaged draws differ from point to point"
    elif not np.isfinite(about.logits).all():
        reason = "nothing: logits not finite"
    elif not about.repeats:
        reason = "nothing: the logits change from call to call anyway"
    if reason is not None:
        return Check(name, None, reason, threshold, advice)
    target = _noise_images(key, about.images)
    found = [_along(about, target, level) for level in _LEVELS]
    shown = ", ".join(f"{ratio:.3g} (steps of {step:.2%})" for step, ratio in found)
    return Check(
        name,
        not any(step >= SMALLEST and ratio < RETURN for step, ratio in found),
        f"squared change of the logits over a path / sum of those of its steps {shown}",
        threshold,
        advice,
    )


def _noise_images(key, images):
    """Uniform in [.5, 1] for dark images, in [0, .5] for bright ones."""
    dark = np.mean(images, axis=(1, 2, 3), keepdims=True) < 0.5
    return (np.asarray(jax.random.uniform(key, images.shape)) + dark) / 2


def _along(about, target, level):
    """(size of a step in the spread of the logits, ratio), medians over the images."""
    way = np.float32(level) * (target - about.images)
    points = [about.images + np.float32(s) * way for s in range(1, _STEPS + 1)]
    logits = [logits_at(about.predict, x.astype(np.float32)) for x in points]
    path = np.stack([about.logits, *logits]) / about.spread
    steps = np.sum(np.diff(path, axis=0) ** 2, axis=(0, 2))
    whole = np.sum((path[-1] - path[0]) ** 2, axis=1)
    size = np.sqrt(steps / (_STEPS * path.shape[2]))
    return float(np.median(size)), float(np.median(whole / np.maximum(steps, 1e-30)))
