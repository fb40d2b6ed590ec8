"""Whether the gradient of a model is of use: there, steady, its derivative.

Obfuscated gradients (Athalye et al. 2018, arXiv 1802.00420) make attacks fail, not
models robust.
"""

import jax
import numpy as np

from mspd_jax.attacks import draws_of
from mspd_jax.evaluate.checks._check import Check
from mspd_jax.evaluate.checks._programs import (
    Subject,
    cross_entropy_cotangents,
    gradients_at,
    logits_at,
    margin_cotangents,
    noise,
)

ZERO_SHARE = 0.05
COHERENCE = 0.7
RATIO = (0.5, 2.0)
CORRELATION = 0.8
_ADAPT = "attack with bpda or with scores only (square), and report the minimum"
_NOISE = 0.1 / 255
_CHANGE = 1e-3  # of the spread of the logits, by a step of finite differences
_FARTHEST, _NEAREST = 0.5 / 255, 1e-5  # step in pixels, root mean square
_DIRECTIONS = 4


def check_gradients(key: jax.Array, about: Subject) -> list[Check]:
    """Three checks of the gradient: it is there, it is steady, it is the derivative.

    All but the first look at the difference between the logits of the best wrong class
    and of the label, and at points moved by .1/255 into the box: pixels at exactly 0
    sit on kinks of ReLU networks, where the derivative is a matter of convention.
    """
    here, there, along = jax.random.split(key, 3)
    cotangents = margin_cotangents(about.logits, about.labels)
    inside = np.clip(about.images, _NOISE, 1.0 - _NOISE)
    points = [
        np.clip(inside + noise(k, inside.shape, size=_NOISE), 0.0, 1.0)
        for k in (here, there)
    ]
    gradients = [gradients_at(about.predict, x, cotangents) for x in points]
    usable = np.isfinite(gradients[0]).all((1, 2, 3)) & gradients[0].any((1, 2, 3))
    return [
        _present(about, gradients[0]),
        _coherent(gradients),
        _derivative(along, about, points[0], gradients[0], cotangents, usable),
    ]


def _present(about, margin_gradients):
    loss = cross_entropy_cotangents(about.logits, about.labels)
    gradients = gradients_at(about.predict, about.images, loss)
    count = len(gradients)
    finite = np.isfinite(gradients).all((1, 2, 3)) & np.isfinite(about.logits).all(1)
    zero = count - int(np.count_nonzero(gradients.any((1, 2, 3))))
    flat = count - int(np.count_nonzero(margin_gradients.any((1, 2, 3))))
    broken = int(np.count_nonzero(~finite))
    return Check(
        "gradients",
        zero <= ZERO_SHARE * count and broken == 0,
        f"gradient of the cross-entropy exactly zero on {zero} of {count} images, "
        f"that of the margin on {flat}; gradient or logits not finite on {broken}",
        f"zero on at most {ZERO_SHARE:.0%}, none that is not finite",
        "where only the cross-entropy's is zero, attack the margin or DLR loss; else "
        f"look for rounding, saturation or stop_gradient in the model: {_ADAPT}",
    )


def _coherent(gradients):
    signs = [np.sign(np.nan_to_num(g)) for g in gradients]
    nonzero = (signs[0] != 0) | (signs[1] != 0)
    equal = (signs[0] == signs[1])[nonzero]
    share = float(np.mean(equal)) if nonzero.any() else None
    return Check(
        "sign coherence",
        None if share is None else share >= COHERENCE,
        "nothing: all gradients are zero"
        if share is None
        else f"{share:.3f} of the gradient's signs equal at two points .1/255 around "
        "the image",
        f"at least {COHERENCE}",
        f"the gradient points elsewhere at each step: {_ADAPT}",
    )


def _derivative(key, about, points, gradients, cotangents, usable):
    """Central differences against autodiff.

    The step is chosen so that, going by autodiff, the margin changes by 1/1000 of the
    spread of the logits: a thousand times float32's rounding of them, and too little
    for curvature to matter. It stays between 1e-5 (a hundred times float32's rounding
    of a pixel) and .5/255 per pixel; an image whose change is then lost in rounding is
    left out. Autodiff's change is taken between the points as rounded.
    """
    name = "gradient is the derivative"
    threshold = (
        f"ratio {RATIO[0]} to {RATIO[1]:.0f}, correlation at least {CORRELATION}"
    )
    if draws_of(about.predict) > 1:
        reason = "nothing: averaged draws differ from point to point"
        return Check(name, None, reason, threshold, _ADAPT)
    axes = (1, 2, 3)
    gradients = np.where(usable[:, None, None, None], gradients, 0.0)
    length = np.maximum(np.sqrt(np.sum(gradients**2, axis=axes)), 1e-30)
    pixels = np.sqrt(gradients[0].size)
    directions = [gradients / length[:, None, None, None]]
    steps = [_CHANGE * about.spread / length]
    for number in range(_DIRECTIONS):
        draw = jax.random.normal(jax.random.fold_in(key, number), points.shape)
        draw = np.asarray(draw, np.float64)
        draw /= np.sqrt(np.sum(draw**2, axis=axes, keepdims=True))
        directions.append(draw)
        # A random direction has 1 / sqrt(pixels) of the slope.
        steps.append(_CHANGE * about.spread / length * pixels)
    expected, found, resolved = [], [], usable
    largest = np.max(np.abs(np.nan_to_num(about.logits)), axis=1)
    for direction, step in zip(directions, steps, strict=True):
        step = np.clip(step, _NEAREST * pixels, _FARTHEST * pixels)
        change = step[:, None, None, None] * direction
        ends = [np.asarray(points + s * change, np.float32) for s in (1, -1)]
        apart = ends[0].astype(np.float64) - ends[1]
        logits = [logits_at(about.predict, end) for end in ends]
        expected.append(np.sum(gradients * apart, axis=axes))
        with np.errstate(invalid="ignore"):
            found.append(np.sum(cotangents * (logits[0] - logits[1]), axis=1))
        if direction is directions[0]:
            # Twenty times the rounding of a sum of float32 of this size.
            resolved = resolved & (np.abs(expected[0]) > 2e-6 * largest)
    count = int(np.count_nonzero(resolved))
    if count < max(2, len(resolved) // 4):
        return Check(
            name,
            None,
            f"nothing: the gradient is zero, not finite or below rounding on "
            f"{len(resolved) - count} of {len(resolved)} images",
            threshold,
            _ADAPT,
        )
    expected, found = np.stack(expected)[:, resolved], np.stack(found)[:, resolved]
    ratio = float(np.median(found[0] / expected[0]))
    # In units of the change expected along a random direction, so that no image with a
    # steep gradient decides alone.
    unit = np.sqrt(np.mean(expected[1:] ** 2, axis=0))
    correlation = _correlation(expected[1:] / unit, found[1:] / unit)
    return Check(
        name,
        RATIO[0] <= ratio <= RATIO[1] and correlation >= CORRELATION,
        f"finite difference / autodiff {ratio:.3g} along the gradient, correlation "
        f"{correlation:.3f} along random directions, on {count} images",
        threshold,
        "the backward pass is not that of the model (stop_gradient, a layer that hides "
        f"its gradient, a custom rule, randomness; bpda by design): {_ADAPT}",
    )


def _correlation(one, other):
    one, other = np.nan_to_num(one).ravel(), np.nan_to_num(other).ravel()
    scale = np.sqrt(np.sum(one**2) * np.sum(other**2))
    return float(np.sum(one * other) / scale) if scale > 0 else 0.0
