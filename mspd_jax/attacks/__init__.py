"""Attacks: per-example functions that propose a changed image inside a ball.

Every attack is called `(key, predict, image, label, *, eps, norm, ...)` and returns a
`Proposal`; `mspd_jax.evaluate.judge` decides whether it is one. `patch_pgd` changes one
square instead, by anything, and has no ball.
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
from mspd_jax.attacks._bpda import bpda, straight_through
from mspd_jax.attacks._checks import NORMS, check_norm
from mspd_jax.attacks._compose import average_draws, transfer, worst_case
from mspd_jax.attacks._cw import cw
from mspd_jax.attacks._deepfool import deepfool
from mspd_jax.attacks._eot import draws_of, eot, is_random, reseed
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
from mspd_jax.attacks._nearest import distance
from mspd_jax.attacks._patch import (
    Ascent,
    ascend_in_patch,
    better_of,
    check_patch,
    patch_pgd,
    patch_positions,
    put_patch,
)
from mspd_jax.attacks._pgd import pgd
from mspd_jax.attacks._plan import Staged, plan_attacks
from mspd_jax.attacks._proposal import Proposal
from mspd_jax.attacks._registry import ATTACKS, Attack, known_attacks, parse_attack
from mspd_jax.attacks._resolve import resolve_attack, resolve_attacks
from mspd_jax.attacks._spsa import spsa
from mspd_jax.attacks._square import square
from mspd_jax.attacks._suites import SUITES
from mspd_jax.attacks._transforms import diversify
from mspd_jax.attacks._views import View, adaptive_attacks, split_view

__all__ = [
    "ATTACKS",
    "Ascent",
    "Attack",
    "NORMS",
    "Proposal",
    "SUITES",
    "Staged",
    "View",
    "adaptive_attacks",
    "apgd",
    "apgd_targeted",
    "ascend",
    "ascend_in_patch",
    "ascent_direction",
    "average_draws",
    "ball_noise",
    "best_attempt",
    "better_of",
    "bim",
    "bpda",
    "check_norm",
    "check_patch",
    "cross_entropy",
    "cw",
    "deepfool",
    "distance",
    "diversify",
    "dlr",
    "dlr_targeted",
    "draws_of",
    "eot",
    "fab",
    "fab_targeted",
    "ffgsm",
    "fgsm",
    "fooled",
    "is_random",
    "known_attacks",
    "margin",
    "mim",
    "objective",
    "parse_attack",
    "patch_pgd",
    "patch_positions",
    "pgd",
    "plan_attacks",
    "project",
    "put_patch",
    "random_start",
    "reseed",
    "resolve_attack",
    "resolve_attacks",
    "split_view",
    "spsa",
    "square",
    "straight_through",
    "transfer",
    "worst_case",
]
