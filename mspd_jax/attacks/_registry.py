"""Attacks by the names that `--attack` takes.

`ATTACKS` says of each name which function it is, with which options and in which
norms. A name may carry counts: `pgd-20` is 20 steps, `pgd-20x5` is 20 steps and 5
restarts, for every attack that has the keywords `steps` and `restarts`. The first count
is that of `queries` instead where the attack has such: `square-5000`.
"""

import inspect
import re
from collections.abc import Callable
from typing import NamedTuple

from mspd_jax.attacks._apgd import apgd, apgd_targeted
from mspd_jax.attacks._bim import bim
from mspd_jax.attacks._cw import cw
from mspd_jax.attacks._deepfool import deepfool
from mspd_jax.attacks._fab import fab, fab_targeted
from mspd_jax.attacks._ffgsm import ffgsm
from mspd_jax.attacks._fgsm import fgsm
from mspd_jax.attacks._losses import dlr
from mspd_jax.attacks._mim import mim
from mspd_jax.attacks._pgd import pgd
from mspd_jax.attacks._spsa import spsa
from mspd_jax.attacks._square import square
from mspd_jax.attacks._suites import SUITES
from mspd_jax.errors import InputError

_BOX = ("linf", "l2")  # norms in which a step of steepest ascent is worth taking
_ALL = ("linf", "l2", "l1")


class Attack(NamedTuple):
    """What a name stands for.

    function: (key, predict, image, label, *, eps, norm, ...) -> Proposal. norms: those
    it is defined in. options: keywords that the name fixes. scores_only: whether it
    asks for predictions alone, never for a gradient (a black-box attack).
    """

    function: Callable
    norms: tuple[str, ...]
    options: dict = {}
    scores_only: bool = False


ATTACKS = {
    "apgd-ce": Attack(apgd, _ALL),
    "apgd-dlr": Attack(apgd, _ALL, {"loss": dlr}),
    "apgd-t": Attack(apgd_targeted, _ALL),
    "bim": Attack(bim, _ALL),
    "cw": Attack(cw, _BOX),
    "deepfool": Attack(deepfool, _BOX),
    "di-mim": Attack(mim, _BOX, {"diversity": 0.5}),
    "fab": Attack(fab, _ALL),
    "fab-t": Attack(fab_targeted, _ALL),
    "ffgsm": Attack(ffgsm, _BOX),
    "fgsm": Attack(fgsm, _BOX),
    "mim": Attack(mim, _BOX),
    "ni-mim": Attack(mim, _BOX, {"nesterov": True}),
    "pgd": Attack(pgd, _ALL),
    "si-mim": Attack(mim, _BOX, {"scales": 5}),
    "si-ni-mim": Attack(mim, _BOX, {"scales": 5, "nesterov": True}),
    "spsa": Attack(spsa, _BOX, scores_only=True),
    "square": Attack(square, _ALL, scores_only=True),
    "ti-mim": Attack(mim, _BOX, {"kernel": 15}),
    "vmi-mim": Attack(mim, _BOX, {"neighbors": 5}),
}


def known_attacks() -> str:
    """All names that a list of attacks may hold, for messages and help texts."""
    return ", ".join([*SUITES, *sorted(ATTACKS)])


def parse_attack(name: str) -> tuple[Attack, dict]:
    """`pgd-20x5` as its entry of `ATTACKS` and all options: the name's and the counts.

    Raises InputError if the name is unknown or has counts that its attack does not
    take.
    """
    stem, steps, restarts = re.fullmatch(
        r"(.*?)(?:-(\d+)(?:x(\d+))?)?", name.strip(), flags=re.DOTALL
    ).groups()
    if stem not in ATTACKS:
        raise InputError(
            f"unknown attack {name!r}: choose from {known_attacks()}, with "
            "steps and restarts as in pgd-20 or pgd-20x5, or none"
        )
    attack = ATTACKS[stem]
    known = inspect.signature(attack.function).parameters
    first = "queries" if "queries" in known else "steps"
    given = {first: steps, "restarts": restarts}
    counts = {key: int(count) for key, count in given.items() if count is not None}
    for key, count in counts.items():
        if key not in known:
            raise InputError(f"attack {name!r}: {stem} takes no number of {key}")
        if count < 1:
            raise InputError(f"attack {name!r}: {key} must be at least 1")
    return attack, {**attack.options, **counts}
