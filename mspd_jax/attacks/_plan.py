"""A list of attack names as stages: what a driver runs, one after the other."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from mspd_jax.attacks._compose import average_draws, transfer
from mspd_jax.attacks._registry import parse_attack
from mspd_jax.attacks._resolve import resolve_attack
from mspd_jax.attacks._suites import SUITES, Suite
from mspd_jax.attacks._views import TRANSFER, View, split_view
from mspd_jax.data import Source
from mspd_jax.errors import InputError


class Staged(NamedTuple):
    """One attack, cut into attempts that a driver runs in turn.

    Attributes:
      parts: callable pytrees (key, predict, image, label) -> Proposal, all of one
        structure, so that they compile once; together they are the attack.
      scores_only: whether it never asks what it runs against for a gradient.
      view: the name of what it runs against, "" for the model itself.
      given: a source of images attacked elsewhere; there are no parts then.
    """

    parts: tuple[Partial, ...]
    scores_only: bool
    view: str = ""
    given: Source | None = None


def plan_attacks(
    names: str,
    *,
    eps: float | jax.Array,
    norm: str,
    num_classes: int,
    surrogate: Callable | None = None,
    views: Mapping[str, View] | None = None,
) -> dict[str, Staged]:
    """The attacks of a comma-separated list, in order, by the name that tables show.

    Names are attacks of the registry, suites (`autoattack`, `autoattack-plus`,
    `autoattack-rand`), or `none`. With a name of `views` in front, as in `bpda:pgd-20`,
    an attack runs against that view of the model, with `transfer:` against `surrogate`;
    the model itself decides on what they propose. Attacks that ask for scores alone are
    left out where a view has the values of the model. eps is a leaf of every part;
    targeted attacks aim at no more than num_classes - 1 classes.

    Raises InputError for what is unknown, undefined in that norm or named twice.
    """
    known = dict(views or {})
    if surrogate is not None:
        known[TRANSFER] = View(surrogate, False)
    plan: dict[str, Staged] = {}
    listed = [part.strip() for part in names.split(",")]
    for name in [] if listed == ["none"] else listed:
        view, stem = split_view(name)
        seen = _known_view(name, view, known)
        suite = SUITES[stem](norm) if stem in SUITES else Suite({stem: {}})
        for member, options in suite.attacks.items():
            shown = f"{view}:{member}" if view else member
            if shown in plan:
                raise InputError(f"attack {shown!r} is named twice in {names!r}")
            attack, _ = parse_attack(member)
            if seen is not None and seen.same_values and attack.scores_only:
                continue
            parts = _parts(member, options, eps, norm, num_classes)
            if suite.draws > 1:
                parts = [average_draws(part, draws=suite.draws) for part in parts]
            if seen is not None:
                parts = [transfer(part, seen.predict) for part in parts]
            plan[shown] = Staged(tuple(parts), attack.scores_only, view)
    if not plan and listed != ["none"]:
        raise InputError(
            f"attacks {names!r} ask for scores alone, which their views do not change: "
            "name them without a view"
        )
    return plan


def _known_view(name, view, known):
    """The view of an attack; None for the model itself."""
    if not view:
        return None
    if view == TRANSFER and view not in known:
        raise InputError(f"attack {name!r} needs a surrogate to be run against")
    if view not in known:
        raise InputError(
            f"attack {name!r}: there is no view {view!r} of this model; "
            + (f"choose from {', '.join(known)}" if known else "a defense has views")
        )
    return known[view]


def _parts(name, options, eps, norm, num_classes):
    """One configured attack for each attempt; the number of the attempt is a leaf."""
    attack, named = parse_attack(name)
    known = {"targets": attack.targets, "restarts": 1} | named | options
    resolve = functools.partial(resolve_attack, name, eps=eps, norm=norm)
    if attack.targets:
        options = options | {"targets": min(known["targets"], num_classes - 1)}
        count, one = known["restarts"] * options["targets"], {"attempts": 1}
    else:
        count, one = known["restarts"], {"restarts": 1}
    if count == 1 or not attack.restarts:
        return [resolve(**options)]
    return [
        resolve(**options | one | {"first": np.asarray(number, np.int32)})
        for number in range(count)
    ]
