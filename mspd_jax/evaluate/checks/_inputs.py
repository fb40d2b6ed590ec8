"""Whether the model is given what it was trained on."""

import math

import numpy as np

from mspd_jax.evaluate._interval import wilson_interval
from mspd_jax.evaluate.checks._check import Check
from mspd_jax.evaluate.checks._programs import Subject, logits_at, right

BETTER = 0.05
_CHANCE = 0.01  # that any of the rescalings of a sound model is called better
_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_MNIST = ((0.1307,), (0.3081,))


def check_inputs(about: Subject, *, clean_gate: float) -> list[Check]:
    """Two checks: no other scale of the pixels suits the model better; it is right."""
    return [_scale(about), _clean(about, clean_gate)]


def _scale(about):
    images, labels = about.images, about.labels
    now = right(about.logits, labels)
    found = {
        name: right(logits_at(about.predict, rescaled), labels)
        for name, rescaled in _rescalings(images).items()
    }
    best = max(found, key=lambda name: np.count_nonzero(found[name]))
    gained = int(np.count_nonzero(found[best] & ~now))
    lost = int(np.count_nonzero(now & ~found[best]))
    better = (gained - lost) / len(labels)
    significant = _sign_test(gained, lost) < _CHANCE / len(found)
    return Check(
        "input scale",
        not (better > BETTER and significant),
        f"{_share(now)} of the images right as they are, at best {_share(found[best])} "
        f"after {best}",
        f"no rescaling better by more than {BETTER:.0%} and beyond chance",
        "the normalization is missing, applied twice or another model's: predict takes "
        "images in [0, 1] and normalizes inside, once",
    )


def _clean(about, gate):
    hits = np.count_nonzero(right(about.logits, about.labels))
    low, high = wilson_interval(hits, len(about.labels))
    return Check(
        "clean accuracy",
        bool(high >= gate),
        f"{hits} of {len(about.labels)} images right, "
        f"{float(low):.1%} to {float(high):.1%} with 95 % confidence",
        f"an accuracy of {gate:.1%} within the interval",
        "labels, classes or preprocessing do not fit the model; set clean_gate to what "
        "the model is known to reach",
    )


def _rescalings(images):
    ways = {
        "x * 255": images * np.float32(255),
        "x / 255": images / np.float32(255),
        "2 x - 1": 2 * images - 1,
        "(x + 1) / 2": (images + 1) / 2,
    }
    known = {3: {"CIFAR-10": _CIFAR10, "ImageNet": _IMAGENET}, 1: {"MNIST": _MNIST}}
    for name, constants in known.get(images.shape[-1], {}).items():
        mean, std = np.asarray(constants, np.float32)
        ways[f"normalization by {name}'s mean and std"] = (images - mean) / std
        ways[f"undoing a normalization by {name}'s"] = images * std + mean
    return {name: np.asarray(x, np.float32) for name, x in ways.items()}


def _sign_test(gained, lost):
    """Probability of at least `gained` heads among so many throws of a fair coin."""
    throws = gained + lost
    ways = sum(math.comb(throws, heads) for heads in range(gained, throws + 1))
    return ways / 2**throws


def _share(hits):
    return f"{np.mean(hits):.1%}"
