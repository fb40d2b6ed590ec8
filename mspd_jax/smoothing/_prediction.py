"""The class of a Gaussian-smoothed classifier (Cohen et al. 2019, Proposition 1)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mspd_jax.smoothing._certificate import ABSTAIN
from mspd_jax.smoothing._checks import check_count, check_level, check_votes


class Prediction(NamedTuple):
    """What is claimed about the class of images, arrays [...] as the votes were.

    Attributes:
      label: int64, the class of the smoothed classifier, or ABSTAIN.
      p_value: float64, of the test that the two most frequent are equally likely.
    """

    label: np.ndarray
    p_value: np.ndarray


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
    tail = stats.binom.sf(first - 1, first + second, 0.5)
    p_value = np.minimum(1.0, 2.0 * tail * (1.0 + 1e-10))
    label = np.argmax(votes, axis=-1)
    sure = (p_value <= alpha) & (votes.max(axis=-1) == first)
    return Prediction(np.where(sure, label, ABSTAIN), p_value)
