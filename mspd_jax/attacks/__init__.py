"""Attacks: per-example functions that propose a changed image inside a ball.

Every attack is called `(key, predict, image, label, *, eps, norm, ...)` and returns a
`Proposal`; `mspd_jax.evaluate.judge` decides whether it is one.
"""

from mspd_jax.attacks._apgd import apgd, apgd_targeted
from mspd_jax.attacks._attempts import best_attempt
from mspd_jax.attacks._ball import (
    ascend,
    ascent_direction,
    ball_noise,
    project,
    random_start,
)
from mspd_jax.attacks._bim import bim
from mspd_jax.attacks._checks import NORMS, check_norm
from mspd_jax.attacks._cw import cw
from mspd_jax.attacks._deepfool import deepfool
from mspd_jax.attacks._fab import fab, fab_targeted
from mspd_jax.attacks._ffgsm import ffgsm
from mspd_jax.attacks._fgsm import fgsm
from mspd_jax.attacks._losses import (
    cross_entropy,
    dlr,
    dlr_targeted,
    fooled,
    margin,
    objective,
)
from mspd_jax.attacks._mim import mim
from mspd_jax.attacks._pgd import pgd
from mspd_jax.attacks._proposal import Proposal
from mspd_jax.attacks._registry import ATTACKS, Attack, parse_attack
from mspd_jax.attacks._resolve import resolve_attack, resolve_attacks
from mspd_jax.attacks._spsa import spsa
from mspd_jax.attacks._square import square

__all__ = [
    "ATTACKS",
    "Attack",
    "NORMS",
    "Proposal",
    "apgd",
    "apgd_targeted",
    "ascend",
    "ascent_direction",
    "ball_noise",
    "best_attempt",
    "bim",
    "check_norm",
    "cross_entropy",
    "cw",
    "deepfool",
    "dlr",
    "dlr_targeted",
    "fab",
    "fab_targeted",
    "ffgsm",
    "fgsm",
    "fooled",
    "margin",
    "mim",
    "objective",
    "parse_attack",
    "pgd",
    "project",
    "random_start",
    "resolve_attack",
    "resolve_attacks",
    "spsa",
    "square",
]
