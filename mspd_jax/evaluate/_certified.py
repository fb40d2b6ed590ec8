"""From certificates to certified accuracies.

Records are those of a certification: {"prediction": int, -1 where abstained, "radius":
float, l2, 0 where abstained, "correct": bool, "drawn": int}, and more.
"""

import math
from collections.abc import Sequence

import numpy as np

from mspd_jax.evaluate._interval import rounded_interval
from mspd_jax.smoothing import ABSTAIN, any_wrong, wrong_certificates

RADII = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)

# How surely no more certificates are wrong than `wrong_certificates` says.
CONFIDENCE = 0.999


def certified_accuracy(records: Sequence[dict], radius: float) -> float:
    """Share of all images whose class is right and certified at an l2 radius.

        #{i : correct_i and radius_i >= radius and radius_i > 0} / #{i}

    A certificate of radius r holds on the open ball |delta|_2 < r, so what is counted
    here is certified against every perturbation shorter than `radius`. Radius 0 asks
    for a claim of any radius. Wrong classes and abstentions count as not certified. NaN
    without images.
    """
    if not 0.0 <= radius < math.inf:
        raise ValueError(f"radius must be finite and >= 0; got {radius}")
    count = _count(_right_radii(records), radius)
    return count / len(records) if records else math.nan


def certified_totals(
    records: Sequence[dict], *, alpha: float, radii: Sequence[float] = RADII
) -> dict:
    """Totals over the certificates of a data set, for summary.json.

    certified_accuracy: share of images that are right and certified at all; certified:
    {radius: share} at each of `radii`; certified_interval: {radius: [low, high]}, 95 %
    over the choice of images (Wilson); abstained: share; mean_radius: over all images,
    wrong and abstained ones with 0; samples_drawn: mean over images.

    wrong_certificates says how far all this can fail by the noise: each certificate is
    wrong with probability <= alpha; "any" of them with no more than that, and with
    "confidence" no more than "at_most" are. Without images there are no shares (None).
    """
    images = len(records)
    right = _right_radii(records)
    shares, intervals = {}, {}
    for radius in radii if images else ():
        shares[str(float(radius))] = certified_accuracy(records, radius)
        within = rounded_interval(_count(right, radius), images)
        intervals[str(float(radius))] = within

    def mean(values):
        return float(sum(values)) / images if images else None

    return {
        "certified_accuracy": mean(right > 0),
        "certified": shares,
        "certified_interval": intervals,
        "abstained": mean(r["prediction"] == ABSTAIN for r in records),
        "mean_radius": mean(right),
        "wrong_certificates": {
            "any": any_wrong(images, alpha=alpha),
            "at_most": wrong_certificates(images, alpha=alpha, confidence=CONFIDENCE),
            "confidence": CONFIDENCE,
        },
        "samples_drawn": mean(r["drawn"] for r in records),
    }


def _right_radii(records):
    """The radius of each image, 0 unless its class is right; float64 [n]."""
    # Of an unlabeled image (-1) an abstention is not a right answer: its radius is 0.
    return np.array([r["radius"] if r["correct"] else 0.0 for r in records], np.float64)


def _count(right, radius):
    """How many radii reach `radius`; NaN and 0 never do."""
    return int(np.sum((right >= radius) & (right > 0)))
