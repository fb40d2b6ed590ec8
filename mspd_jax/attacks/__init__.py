"""Attacks: per-example functions that propose a changed image inside a ball.

Every attack is called `(key, predict, image, label, *, eps, norm, ...)` and returns a
`Proposal`; `mspd_jax.evaluate.judge` decides whether it is one. `patch_pgd` changes one
square instead, by anything, and has no ball. Where they take them, in all attacks:

    key              one PRNG key
    predict          [H, W, C] -> [K], a callable pytree
    image, label     [H, W, C] in [0, 1]; int []
    eps, step_size   in pixels, traced
    norm, steps      static
    target           int [], traced: the class to reach, in place of any but the label
    loss             static, (logits, label) -> []; that of the target is lowered
    restarts, first  how many, static; restart r draws from fold_in(key, r), so that
                     more extend fewer, and they are numbered from `first`, traced
"""

from mspd_jax.attacks._apgd import apgd
from mspd_jax.attacks._apgd_targeted import apgd_targeted, malt
from mspd_jax.attacks._ascent import add_momentum as add_momentum
from mspd_jax.attacks._ascent import ascent as ascent
from mspd_jax.attacks._attempts import better_of as better_of
from mspd_jax.attacks._autoattack import autoattack
from mspd_jax.attacks._ball import ascend as ascend
from mspd_jax.attacks._ball import ball_noise as ball_noise
from mspd_jax.attacks._ball import project as project
from mspd_jax.attacks._ball import random_start as random_start
from mspd_jax.attacks._bpda import bpda, straight_through
from mspd_jax.attacks._checks import NORMS as NORMS
from mspd_jax.attacks._checks import check_norm as check_norm
from mspd_jax.attacks._compose import worst_case
from mspd_jax.attacks._cw import cw
from mspd_jax.attacks._deepfool import deepfool
from mspd_jax.attacks._eot import draws_of as draws_of
from mspd_jax.attacks._eot import eot
from mspd_jax.attacks._eot import is_random as is_random
from mspd_jax.attacks._eot import reseed as reseed
from mspd_jax.attacks._fab import fab, fab_targeted
from mspd_jax.attacks._fgsm import ffgsm, fgsm
from mspd_jax.attacks._fixed import fixed as fixed
from mspd_jax.attacks._losses import cross_entropy, dlr, margin
from mspd_jax.attacks._losses import fooled as fooled
from mspd_jax.attacks._mim import mim
from mspd_jax.attacks._mim_variants import di_fgsm, ni_fgsm, ti_fgsm, vmi_fgsm
from mspd_jax.attacks._nearest import distance as distance
from mspd_jax.attacks._patch import ascend_in_patch as ascend_in_patch
from mspd_jax.attacks._patch import check_patch as check_patch
from mspd_jax.attacks._patch import patch_pgd
from mspd_jax.attacks._patch import patch_positions as patch_positions
from mspd_jax.attacks._patch import put_patch as put_patch
from mspd_jax.attacks._pgd import bim, pgd
from mspd_jax.attacks._plan import Staged as Staged
from mspd_jax.attacks._plan import plan_attacks as plan_attacks
from mspd_jax.attacks._proposal import Proposal as Proposal
from mspd_jax.attacks._registry import ATTACKS as ATTACKS
from mspd_jax.attacks._registry import Attack as Attack
from mspd_jax.attacks._registry import known_attacks as known_attacks
from mspd_jax.attacks._registry import parse_attack as parse_attack
from mspd_jax.attacks._resolve import resolve_attack as resolve_attack
from mspd_jax.attacks._spsa import spsa
from mspd_jax.attacks._square import square
from mspd_jax.attacks._suites import SUITES as SUITES
from mspd_jax.attacks._transforms import diversify as diversify
from mspd_jax.attacks._views import View as View
from mspd_jax.attacks._views import adaptive_attacks
from mspd_jax.attacks._views import split_view as split_view

# What users call; other rooms may import the rest.
__all__ = [
    "adaptive_attacks",
    "apgd",
    "apgd_targeted",
    "autoattack",
    "bim",
    "bpda",
    "cross_entropy",
    "cw",
    "deepfool",
    "di_fgsm",
    "dlr",
    "eot",
    "fab",
    "fab_targeted",
    "ffgsm",
    "fgsm",
    "malt",
    "margin",
    "mim",
    "ni_fgsm",
    "patch_pgd",
    "pgd",
    "spsa",
    "square",
    "straight_through",
    "ti_fgsm",
    "vmi_fgsm",
    "worst_case",
]
