"""What votes say of a Gaussian-smoothed classifier (arXiv 1902.02918).

    g(x) = argmax_c P(f(x + sigma n) = c),   n ~ N(0, I)

Host, float64. Every number is rounded towards "not certified".
"""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from mspd_jax.smoothing._checks import (
    check_count,
    check_level,
    check_sigma,
    check_votes,
)

ABSTAIN = -1  # the label of an image about which nothing is claimed

# SciPy's tails are taken to be right to a share of 1e-10, its quantiles not at all:
# they are checked against the tails.
_SURE = 1.0 - 1e-10


class Certificate(NamedTuple):
    """What is claimed about images, each array [...] as the votes were.

    Attributes:
      label: int64, the class of the smoothed classifier, or ABSTAIN.
      radius: float64, l2, in pixels; 0 where abstained.
      lower: float64, lower bound of the probability of the class that the selection
        votes chose; the claim is made where it is above 1/2.
    """

    label: np.ndarray
    radius: np.ndarray
    lower: np.ndarray


class Prediction(NamedTuple):
    """What is claimed about the class of images, arrays [...] as the votes were.

    Attributes:
      label: int64, the class of the smoothed classifier, or ABSTAIN.
      p_value: float64, of the test that the two most frequent are equally likely.
    """

    label: np.ndarray
    p_value: np.ndarray


def lower_bound(successes: ArrayLike, num_samples: int, *, alpha: float) -> np.ndarray:
    """One-sided Clopper-Pearson bound of a probability, rounded down.

        p = Beta^-1(alpha; v, n - v + 1),   that is   P(Bin(n, p) >= v) = alpha

    With probability >= 1 - alpha the true probability is not below p. The p returned
    has a tail of at most alpha (1 - 1e-10) by SciPy's tail function, whatever its
    quantile function said: below the exact bound if the tail is right to 1e-10.
    successes: v, ints [...] in 0..n; num_samples: n. Returns float64 [...], 0 at v = 0.
    """
    num_samples = check_count("num_samples", num_samples)
    alpha = check_level("alpha", alpha)
    v = check_votes("successes", np.asarray(successes)[..., None], most=num_samples)
    v = v[..., 0]
    some, rest = np.maximum(v, 1), num_samples - v
    top = scipy.special.betaincinv(some, rest + 1.0, alpha)
    p, margin = top, 1e-13
    while margin < 1.0:
        wrong = (v > 0) & ~(scipy.special.betainc(some, rest + 1.0, p) <= alpha * _SURE)
        if not wrong.any():
            return np.where(v > 0, p, 0.0)
        p = np.where(wrong, top * (1.0 - margin), p)
        margin *= 2.0
    return np.where((v > 0) & ~wrong, p, 0.0)


def certify_votes(
    selection: ArrayLike,
    estimation: ArrayLike,
    *,
    num_samples: int,
    sigma: float,
    alpha: float,
) -> Certificate:
    """Label and l2 radius from votes (Cohen et al. 2019, Theorem 1, Proposition 2).

    With probability >= 1 - alpha over the noise, the call abstains or the smoothed
    class is `label` on the whole open ball of `radius` around the image:

        c = argmax selection,   p = lower_bound(estimation_c, n),
        radius = sigma Phi^-1(p)   where p > 1/2;   else abstain.

    `num_samples`, n, is the number of samples that was planned before any was drawn.
    Samples that were not drawn, and those for no class, count against the class. Hence
    whoever stops drawing early, for any reason, stays sound: let w be the votes of c in
    the full run with the same noise. What was counted is v <= w, whatever the rule, and
    the radius grows with v. So the certificate claims no more than that of the full
    run on the same noise, and is wrong only where that one is: with probability
    <= alpha. (The bound of the v votes among those drawn would not do: a rule may stop
    when they happen to look good.)

    The claim is about exact normal noise and about `predict` as it computes (see
    `noise_at`).

    Args:
      selection: int [..., K], votes that choose the class.
      estimation: int [..., K], votes of noise that is independent of those.
      num_samples: n, of the estimation.
      sigma: in pixels; the smaller of it and its float32 is used, with which the noise
        was drawn.
      alpha: probability that a certificate may be wrong.

    Returns:
      Certificate, arrays [...].
    """
    num_samples = check_count("num_samples", num_samples)
    sigma, alpha = check_sigma(sigma), check_level("alpha", alpha)
    selection = check_votes("selection", selection)
    estimation = check_votes("estimation", estimation, most=num_samples)
    if selection.shape != estimation.shape:
        raise ValueError(
            "selection and estimation must have one shape; got "
            f"{selection.shape} and {estimation.shape}"
        )
    label = np.argmax(selection, axis=-1)
    votes = np.take_along_axis(estimation, label[..., None], axis=-1)[..., 0]
    lower = lower_bound(votes, num_samples, alpha=alpha)
    return Certificate(
        np.where(lower > 0.5, label, ABSTAIN), _radius(lower, sigma), lower
    )


def predict_votes(votes: ArrayLike, *, num_samples: int, alpha: float) -> Prediction:
    """The smoothed class, tested on the two most frequent answers.

    With probability >= 1 - alpha over the noise, the call abstains or `label` is the
    class of the smoothed classifier:

        p = P(|Bin(a + b, 1/2) - (a + b) / 2| >= (a - b) / 2),   a >= b the top counts,

    two-sided, rounded up; abstains if p > alpha. Samples for no class are an answer
    like others, which is never predicted: where they come first, the call abstains.
    (Cohen et al. 2019, Proposition 1; Hung and Fithian 2019.)

    votes: int [..., K]; num_samples: how many samples were drawn, all of them planned:
    unlike a certificate, this one does not allow for early stopping.
    """
    num_samples = check_count("num_samples", num_samples)
    alpha = check_level("alpha", alpha)
    votes = check_votes("votes", votes, most=num_samples)
    none = num_samples - votes.sum(axis=-1, keepdims=True)
    ranked = np.sort(np.concatenate([votes, none], axis=-1), axis=-1)
    first, second = ranked[..., -1], ranked[..., -2]
    # Symmetric at 1/2: twice one tail is the two-sided p-value.
    tail = scipy.stats.binom.sf(first - 1, first + second, 0.5)
    p_value = np.minimum(1.0, 2.0 * tail * (1.0 + 1e-10))
    label = np.argmax(votes, axis=-1)
    sure = (p_value <= alpha) & (votes.max(axis=-1) == first)
    return Prediction(np.where(sure, label, ABSTAIN), p_value)


def radius_needs(radius: float, num_samples: int, *, sigma: float, alpha: float) -> int:
    """The least number of votes that certifies a radius; n + 1 if none does.

    radius: in pixels; 0 asks for a claim of any radius. num_samples: n, as planned.
    """
    num_samples = check_count("num_samples", num_samples)
    sigma, alpha = check_sigma(sigma), check_level("alpha", alpha)
    if not 0.0 <= radius < np.inf:
        raise ValueError(f"radius must be finite and >= 0; got {radius}")

    def certifies(votes):
        lower = lower_bound(votes, num_samples, alpha=alpha)
        return lower > 0.5 and _radius(lower, sigma) >= radius

    # Bisection: the radius grows with the votes. Invariant: low does not, high does.
    low, high = 0, num_samples + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certifies(middle) else (middle, high)
    return high


def wrong_certificates(count: int, *, alpha: float, confidence: float = 0.999) -> int:
    """How many of `count` certificates may be wrong, at most, with `confidence`.

        least w with P(Bin(count, alpha) <= w) >= confidence

    Each is wrong with probability <= alpha, independently where each image has its own
    noise. count: all images that `certify_votes` looked at, abstentions included:
    which of them abstain depends on the same noise.
    """
    count = check_count("count", count, least=0)
    alpha = check_level("alpha", alpha)
    confidence = check_level("confidence", confidence)
    if count == 0:
        return 0
    wrong = max(0, int(scipy.stats.binom.ppf(confidence, count, alpha)))
    while scipy.stats.binom.cdf(wrong, count, alpha) < confidence:
        wrong += 1
    return wrong


def any_wrong(count: int, *, alpha: float) -> float:
    """Bound of the probability that any of `count` certificates is wrong.

        min(1, count alpha)

    The union bound: it holds for dependent noise as well. count: as in
    `wrong_certificates`.
    """
    count = check_count("count", count, least=0)
    return min(1.0, count * check_level("alpha", alpha))


def _radius(lower, sigma):
    """sigma Phi^-1(lower), rounded down; 0 up to 1/2."""
    # The quantile is right to some 1e-15 of itself, at 1/2 as well.
    quantile = scipy.special.ndtri(np.maximum(lower, 0.5)) * (1.0 - 1e-13)
    return np.maximum(sigma * quantile, 0.0)
