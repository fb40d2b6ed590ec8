"""Certificates from noise: votes under Gaussian noise, bounds, denoised smoothing.

On the devices votes are counted and nothing else; every bound is computed on the host
in float64 and rounded towards "not certified".
"""

from mspd_jax.smoothing._certificate import (
    ABSTAIN,
    Certificate,
    any_wrong,
    certify_votes,
    lower_bound,
    radius_needs,
    wrong_certificates,
)
from mspd_jax.smoothing._certify import certify, predict_smoothed
from mspd_jax.smoothing._noise import ESTIMATION, SELECTION, noise_at
from mspd_jax.smoothing._prediction import Prediction, predict_votes
from mspd_jax.smoothing._query_votes import query_votes
from mspd_jax.smoothing._stopping import Plan, stopping_plan
from mspd_jax.smoothing._votes import Votes, count_votes, smoothed_votes
from mspd_jax.smoothing._wrappers import eight_bit, noisy, soft_smoothed

__all__ = [
    "ABSTAIN",
    "Certificate",
    "ESTIMATION",
    "Plan",
    "Prediction",
    "SELECTION",
    "Votes",
    "any_wrong",
    "certify",
    "certify_votes",
    "count_votes",
    "eight_bit",
    "lower_bound",
    "noise_at",
    "noisy",
    "predict_smoothed",
    "predict_votes",
    "query_votes",
    "radius_needs",
    "smoothed_votes",
    "soft_smoothed",
    "stopping_plan",
    "wrong_certificates",
]
