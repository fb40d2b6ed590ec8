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
from mspd_jax.smoothing._query_access import Access, answer, query_access
from mspd_jax.smoothing._query_command import command_classifier
from mspd_jax.smoothing._query_http import http_classifier
from mspd_jax.smoothing._query_log import (
    QueryLog,
    memory_query_log,
    open_query_log,
)
from mspd_jax.smoothing._query_open import open_classifier, python_classifier
from mspd_jax.smoothing._query_protocol import Classifier
from mspd_jax.smoothing._query_votes import query_votes
from mspd_jax.smoothing._stopping import Plan, stopping_plan
from mspd_jax.smoothing._votes import Votes, count_votes, smoothed_votes
from mspd_jax.smoothing._wrappers import eight_bit, noisy, soft_smoothed

__all__ = [
    "ABSTAIN",
    "Access",
    "Certificate",
    "Classifier",
    "ESTIMATION",
    "Plan",
    "Prediction",
    "QueryLog",
    "SELECTION",
    "Votes",
    "answer",
    "any_wrong",
    "certify",
    "certify_votes",
    "command_classifier",
    "count_votes",
    "eight_bit",
    "http_classifier",
    "lower_bound",
    "memory_query_log",
    "noise_at",
    "noisy",
    "open_classifier",
    "open_query_log",
    "predict_smoothed",
    "predict_votes",
    "python_classifier",
    "query_access",
    "query_votes",
    "radius_needs",
    "smoothed_votes",
    "soft_smoothed",
    "stopping_plan",
    "wrong_certificates",
]
