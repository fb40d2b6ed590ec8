"""Certificates from noise: votes under Gaussian noise, bounds, denoised smoothing.

    smoothed = smoothing.denoised(predict, denoiser)  # or `predict` as it is
    certificate = smoothing.certify(key, smoothed, image, sigma=0.25, alpha=0.001)

On the devices votes are counted and nothing else; every bound is computed on the host
in float64 and rounded towards "not certified".
"""

from mspd_jax.smoothing._certificate import ABSTAIN as ABSTAIN
from mspd_jax.smoothing._certificate import any_wrong as any_wrong
from mspd_jax.smoothing._certificate import certify_votes, predict_votes
from mspd_jax.smoothing._certificate import wrong_certificates as wrong_certificates
from mspd_jax.smoothing._certify import certify, predict_smoothed
from mspd_jax.smoothing._query_votes import query_votes as query_votes
from mspd_jax.smoothing._stopping import SamplingPlan as SamplingPlan
from mspd_jax.smoothing._stopping import stopping_plan
from mspd_jax.smoothing._votes import Votes as Votes
from mspd_jax.smoothing._votes import smoothed_votes
from mspd_jax.smoothing._wrappers import denoised, eight_bit, noisy, soft_smoothed

# What users call; other rooms may import the rest.
__all__ = [
    "certify",
    "certify_votes",
    "denoised",
    "eight_bit",
    "noisy",
    "predict_smoothed",
    "predict_votes",
    "smoothed_votes",
    "soft_smoothed",
    "stopping_plan",
]
