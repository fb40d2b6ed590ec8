"""Whether pixels near black and white have a gradient, as all others have."""

import jax
import numpy as np

from mspd_jax.evaluate.checks._check import Check
from mspd_jax.evaluate.checks._programs import (
    ROUNDING,
    Subject,
    gradients_at,
    logits_at,
)

SATURATED_SHARE = 0.95
INNER_SHARE = 0.5
# Not 0 and 1 themselves: a clip to [0, 1] has a kink there, and harms nobody.
_EDGE = (0.25 / 255, 1 / 255)
_PART = 0.125  # of the numbers of an image at each end, where they are scattered
_INWARDS = 0.5
_NOTHING = 1e-4  # of the median gradient of the image


def check_saturation(key: jax.Array, about: Subject) -> Check:
    """Whether a gradient reaches pixels at both ends of the range.

    Looks at the images with half their contrast (values in [.25, .75]), some of whose
    numbers are put next to 0 and to 1: an eighth each, scattered, and again a quarter
    of the image each, in one piece. A network finds these where it finds all others:
    the share of numbers without a gradient (below 1e-4 of the image's median) is no
    other there, be it convolutional with ReLU and max pooling, and be the images black
    for the most part. A clip of the input to [.1, .9] takes the gradient from every
    number at the ends and from no other. Fails if at one of the ends 95 % have none,
    scattered (unlike a clip after soft JPEG) and in one piece (unlike a median filter),
    at most half of the others, and moving them inwards by .5 moves the logits by 2 % of
    their spread: there an attack along the gradient leaves pixels alone that matter.
    The gradient is that of a random combination of the logits. False alarms: none in
    560 (28 sound models of digits, 10 batches, 2 keys each).

    key: of the places and the combination. Costs 2 N gradients and 3 N predictions.
    """
    name = "saturated pixels"
    threshold = (
        f"less than {SATURATED_SHARE:.0%} without a gradient at each end, or logits "
        f"that move by less than {ROUNDING:.0%} of their spread"
    )
    advice = (
        "an input clipped or saturating inside the model hides pixels near black or "
        "white from the gradient: attack with bpda (the identity in place of the clip) "
        "or with scores only (square)"
    )
    place_key, value_key, mix_key = jax.random.split(key, 3)
    mix = np.asarray(jax.random.normal(mix_key, about.logits.shape))
    edge = np.asarray(jax.random.uniform(value_key, about.images.shape))
    edge = _EDGE[0] + (_EDGE[1] - _EDGE[0]) * edge
    shares, usable = [], []
    for low, high in (_scattered(place_key, edge.shape), _quarters(edge.shape)):
        inner = 0.25 + about.images / 2
        images = np.where(low, edge, np.where(high, 1 - edge, inner))
        images = images.astype(np.float32)
        without, known = _without(gradients_at(about.predict, images, mix))
        usable.append(np.mean(known))
        parts = [where[known] for where in (low, high, ~(low | high))]
        shares.append([_share(without[known], where) for where in parts])
    black, white = np.min(shares, axis=0)[:2]
    between = np.max(shares, axis=0)[2]
    if min(usable) < 0.5 or between > INNER_SHARE:
        reason = "nothing: the gradient is zero or not finite elsewhere, too"
        return Check(name, None, reason, threshold, advice)
    effects = _effects(about, images, low, high)
    failed = [
        share >= SATURATED_SHARE and effect >= ROUNDING
        for share, effect in zip((black, white), effects, strict=True)
    ]
    return Check(
        name,
        not any(failed),
        f"no gradient at {black:.1%} of the numbers near black, {white:.1%} near "
        f"white, {between:.1%} between; moved inwards by {_INWARDS} they move the "
        f"logits by {effects[0]:.2g} and {effects[1]:.2g} of their spread",
        threshold,
        advice,
    )


def _scattered(key, shape):
    """Which numbers are put next to 0, and which next to 1."""
    place = np.asarray(jax.random.uniform(key, shape))
    return place < _PART, place > 1 - _PART


def _quarters(shape):
    """The same in one piece: a quarter each, another one from image to image."""
    count, height, width, _ = shape
    rows = np.arange(height)[:, None, None] >= height / 2
    columns = np.arange(width)[None, :, None] >= width / 2
    quarter = np.broadcast_to(2 * rows + columns, shape)
    quarter = (quarter + np.arange(count)[:, None, None, None]) % 4
    return quarter == 0, quarter == 3


def _without(gradients):
    """Which numbers have no gradient, and which images one that can be used."""
    sizes = np.abs(gradients)
    usable = np.isfinite(sizes).all((1, 2, 3)) & sizes.any((1, 2, 3))
    usual = [
        np.median(size[size > 0]) if ok else 0.0
        for size, ok in zip(sizes, usable, strict=True)
    ]
    return sizes <= _NOTHING * np.reshape(usual, (-1, 1, 1, 1)), usable


def _share(without, where):
    return float(np.mean(without[where])) if where.any() else 0.0


def _effects(about, images, low, high):
    """How far the logits move by numbers near black, and near white, moved inwards."""
    before = logits_at(about.predict, images)
    found = []
    for where, way in ((low, _INWARDS), (high, -_INWARDS)):
        after = logits_at(about.predict, (images + way * where).astype(np.float32))
        change = np.max(np.abs(after - before), axis=1)
        found.append(float(np.median(np.nan_to_num(change))) / about.spread)
    return found
