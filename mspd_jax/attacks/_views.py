"""Attackers who see a defended model as something else, and lists for those who adapt.

An attack `VIEW:NAME` runs against another function than the model, and the model judges
what it proposes: a defense that hides its gradient, or that draws at random, is met by
an attacker who knows better (Athalye et al. 2018, arXiv 1802.00420).
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mspd_jax.attacks._registry import parse_attack
from mspd_jax.attacks._suites import SUITES

TRANSFER, AVERAGED = "transfer", "eot"
# Added where no attack asks for scores alone: few queries already tell a masked
# gradient, and only the images that still stand meet it.
SCORES_ONLY = "square-1000"
# A query of an average costs all its draws.
AVERAGED_SCORES = "square-100"


class View(NamedTuple):
    """What an attack runs against in the place of the model, a callable pytree.

    same_values: whether its gradient alone is not the model's, so that attacks which
    ask for scores alone would find the same again.
    """

    predict: Callable
    same_values: bool


def split_view(name: str) -> tuple[str, str]:
    """`bpda:pgd-20` as ("bpda", "pgd-20"); the view of `pgd-20` is ""."""
    view, _, stem = name.rpartition(":")
    return view, stem


def adaptive_attacks(
    names: str, *, norm: str, views: Iterable[str], claim: str, transfers: bool = False
) -> str:
    """A list of attacks for an attacker who knows the defense, as such a list again.

    names: as for `plan_attacks`. claim: the view in which the authors of the defense
    measured it, "" for gradients of the model as it is. In this order:

        1. all attacks in the view of the claim (of "" those that take gradients), so
           that where each attack meets what is left the worst case of these is exact
        2. those that take gradients on the model as it is and in each other view
        3. those that ask for scores alone on the model as it is, averaged if it is
           randomized; `square-1000` (averaged, `square-100`) if there are none
        4. `transfer:` of those that take gradients, if it `transfers` (there is a
           surrogate)

    An attack that names a view is kept as it is; nothing comes twice; `none` stays. A
    suite that averages draws by itself is not averaged again.

    Raises InputError for an attack that does not exist, ValueError for such a claim.
    """
    views = tuple(views)
    if claim not in ("", *views):
        raise ValueError(f"claim must be '' or one of {views}; got {claim!r}")
    listed = [part.strip() for part in names.split(",")]
    if listed == ["none"]:
        return names
    given = [name for name in listed if ":" in name]
    plain = [name for name in listed if ":" not in name]
    gradient = [name for name in plain if not all(_asks_scores(name, norm))]
    adapted = [_seen(claim, name) for name in (plain if claim else gradient)]
    adapted += [name for name in given if split_view(name)[0] == claim] + given
    for view in ("", *views):
        adapted += [
            _seen(view, name)
            for name in gradient
            if view != AVERAGED or name not in SUITES or SUITES[name](norm).draws == 1
        ]
    # One draw answers every query alike: a fixed network, which others judge.
    asked = AVERAGED if AVERAGED in views else ""
    adapted += [_seen(asked, name) for name in plain if name not in gradient]
    if not any(any(_asks_scores(name, norm)) for name in plain):
        adapted.append(_seen(asked, AVERAGED_SCORES if asked else SCORES_ONLY))
    if transfers:
        adapted += [_seen(TRANSFER, name) for name in gradient]
    return ",".join(dict.fromkeys(adapted))


def _seen(view, name):
    return f"{view}:{name}" if view else name


def _asks_scores(name, norm):
    """Of each attack behind a name whether it asks for scores alone."""
    if name not in SUITES:
        return [parse_attack(name)[0].scores_only]
    members = SUITES[name](norm).attacks
    return [parse_attack(member)[0].scores_only for member in members]
