"""Attacks by the names that `--attack` takes, with counts for those that have such:
`pgd-20` is 20 steps, `pgd-20x5` also 5 restarts, `square-5000` as many queries."""

import re
from collections.abc import Callable
from typing import NamedTuple

from mspd_jax.attacks._apgd import apgd
from mspd_jax.attacks._apgd_targeted import apgd_targeted, malt
from mspd_jax.attacks._cw import cw
from mspd_jax.attacks._deepfool import deepfool
from mspd_jax.attacks._fab import fab, fab_targeted
from mspd_jax.attacks._fgsm import ffgsm, fgsm
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
    """What a name stands for, and what it can do.

    Attributes:
      function: (key, predict, image, label, *, eps, norm, ...) -> Proposal.
      norms: those it is defined in.
      options: keywords that the name fixes.
      scores_only: whether it asks for predictions alone, never for a gradient (a
        black-box attack).
      count: the keyword that the first number of a name sets, "steps" or "queries";
        None where nothing is counted.
      restarts: whether it takes `restarts`, which `first` numbers (`best_attempt`).
      targets: how many wrong classes it aims at by default, one after the other
        (keywords `targets` and `attempts`); 0 where it aims at none.
    """

    function: Callable
    norms: tuple[str, ...]
    options: dict = {}
    scores_only: bool = False
    count: str | None = "steps"  # type: ignore[assignment]
    restarts: bool = False
    targets: int = 0


_APGD = Attack(apgd, _ALL, restarts=True)
_MIM = Attack(mim, _BOX)

ATTACKS = {
    "apgd-ce": _APGD,
    "apgd-dlr": _APGD._replace(options={"loss": dlr}),
    "apgd-t": Attack(apgd_targeted, _ALL, restarts=True, targets=9),
    "bim": Attack(pgd, _ALL, {"random_start": False}),
    "cw": Attack(cw, _BOX),
    "deepfool": Attack(deepfool, _BOX),
    "di-mim": _MIM._replace(options={"diversity": 0.5}),
    "fab": Attack(fab, _ALL, restarts=True),
    "fab-t": Attack(fab_targeted, _ALL, restarts=True, targets=9),
    "ffgsm": Attack(ffgsm, _BOX, count=None),
    "fgsm": Attack(fgsm, _BOX, count=None),
    "malt": Attack(malt, _ALL, restarts=True, targets=9),
    "mim": _MIM,
    "ni-mim": _MIM._replace(options={"nesterov": True}),
    "pgd": Attack(pgd, _ALL, restarts=True),
    "si-mim": _MIM._replace(options={"scales": 5}),
    "si-ni-mim": _MIM._replace(options={"scales": 5, "nesterov": True}),
    "spsa": Attack(spsa, _BOX, scores_only=True, restarts=True),
    "square": Attack(square, _ALL, scores_only=True, count="queries", restarts=True),
    "ti-mim": _MIM._replace(options={"kernel": 15}),
    "vmi-mim": _MIM._replace(options={"neighbors": 5}),
}


def known_attacks() -> str:
    """All names that a list of attacks may hold, for messages and help texts."""
    return ", ".join([*SUITES, *sorted(ATTACKS)])


def parse_attack(name: str) -> tuple[Attack, dict]:
    """`pgd-20x5` as its entry of `ATTACKS` and all options: the name's and the counts.

    Raises InputError if the name is unknown or has counts that its attack does not
    take.
    """
    found = re.fullmatch(r"(.*?)(?:-(\d+)(?:x(\d+))?)?", name.strip(), flags=re.DOTALL)
    assert found is not None  # the pattern matches every text
    stem, steps, restarts = found.groups()
    if stem not in ATTACKS:
        raise InputError(
            f"unknown attack {name!r}: choose from {known_attacks()}, with "
            "steps and restarts as in pgd-20 or pgd-20x5, or none"
        )
    attack = ATTACKS[stem]
    known = {attack.count, "restarts" if attack.restarts else None}
    written = {attack.count or "steps": steps, "restarts": restarts}
    counts = {key: int(count) for key, count in written.items() if count is not None}
    for key, count in counts.items():
        if key not in known:
            raise InputError(f"attack {name!r}: {stem} takes no number of {key}")
        if count < 1:
            raise InputError(f"attack {name!r}: {key} must be at least 1")
    return attack, {**attack.options, **counts}
