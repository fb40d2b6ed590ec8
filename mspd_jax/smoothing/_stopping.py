"""When to stop drawing votes: rules that keep certificates sound. Host."""

from typing import NamedTuple

import numpy as np
import scipy

from mspd_jax.smoothing._certificate import radius_needs
from mspd_jax.smoothing._checks import check_count, check_level, check_sigma


class SamplingPlan(NamedTuple):
    """How many votes to draw and when to stop; arrays, so that jit traces all of it.

    Attributes:
      selection: int32 [], n0, the samples that choose the class.
      estimation: int32 [], n, the most samples that bound its probability.
      ends: int32 [R], the sample numbers at which rounds end, the last at n.
      futile: int32 [R], stop after round r if the class has at most so many votes.
      enough: int32 [], stop after a round if it has at least so many; n + 1 for never.
      known_label: bool [], whether to draw no estimation votes at all for an image
        whose chosen class is not its label.
    """

    selection: np.int32
    estimation: np.int32
    ends: np.ndarray
    futile: np.ndarray
    enough: np.int32
    known_label: np.bool_


def stopping_plan(
    *,
    selection: int,
    estimation: int,
    sigma: float,
    alpha: float,
    radius: float | None = None,
    futility: float = 0.0,
    rounds: int = 20,
    known_label: bool = False,
) -> SamplingPlan:
    """The plan of a certificate; the defaults claim what the full run claims.

    After each of `rounds` equal rounds the votes v of the chosen class are compared
    with the w that are needed among n for any claim, or for `radius`, if there is one:

        curtailment:  v + (samples left) < w                 out of reach
        futility:     upper(v, drawn; futility / rounds) < P    very likely so
        enough:       v >= w                                 only with a `radius`

    P is the probability that is needed, 1/2 or Phi(radius / sigma), and `upper` the
    one-sided Clopper-Pearson bound. rounds=1 stops nowhere and draws all n.

    Soundness: none of these, nor any other rule, can make a certificate wrong more
    often, since `certify_votes` counts samples that were not drawn against the class.

    What is lost: without `radius`, curtailment changes no claim, as only images that
    the full run abstains on are stopped. With it, whether an image is certified at
    `radius` does not change either; the radius it reports is smaller. Futility makes an
    image lose a claim that the full run makes with probability at most
    max(futility, alpha): if its probability is P or more, the bound of some round fails
    with probability <= futility (union over rounds); if it is less, the full run itself
    claims with probability <= alpha.
    With `known_label` an image of another class than its label counts as wrong and
    abstains (not one without a label, -1); labels need no noise, so this too is sound.

    Args:
      selection: n0, the samples that choose the class.
      estimation: n, the most samples that bound its probability.
      sigma: of the noise, in pixels.
      alpha: probability that a certificate may be wrong.
      radius: in pixels; ask whether images can be certified at it, and no more. None:
        for the largest radius.
      futility: probability with which a claim may be lost; 0 for no such rule.
      rounds: a shape, as is nothing else; ends depend on it and on n alone, so results
        do not depend on chunks or devices.
      known_label: give up images whose chosen class is not their label.

    Returns:
      The plan. Raises ValueError if n votes of n would not do.
    """
    selection = check_count("selection", selection)
    estimation = check_count("estimation", estimation)
    rounds = check_count("rounds", rounds)
    alpha = check_level("alpha", alpha)
    if not 0.0 <= futility < 1.0:
        raise ValueError(f"futility must be at least 0 and below 1; got {futility}")
    needed = radius_needs(radius or 0.0, estimation, sigma=sigma, alpha=alpha)
    if needed > estimation:
        what = "any claim" if radius is None else f"radius {radius:g}, sigma {sigma:g}"
        raise ValueError(
            f"estimation must allow for {what} at alpha {alpha:g}; with "
            f"{estimation} samples not even all votes do"
        )
    ends = -(-estimation * np.arange(1, rounds + 1, dtype=np.int64) // rounds)
    futile = needed - 1 - (estimation - ends)
    if futility > 0.0:
        target = scipy.special.ndtr((radius or 0.0) / check_sigma(sigma))
        # upper(v, m; level) < target  iff  P(Bin(m, target) <= v) < level.
        unlikely = scipy.stats.binom.ppf(futility / rounds, ends, target) - 1
        futile = np.maximum(futile, unlikely.astype(np.int64))
    return SamplingPlan(
        selection=np.int32(selection),
        estimation=np.int32(estimation),
        ends=ends.astype(np.int32),
        futile=np.maximum(futile, -1).astype(np.int32),
        enough=np.int32(estimation + 1 if radius is None else needed),
        known_label=np.bool_(known_label),
    )
