"""Attacks by the names that `--attack` takes, and their configuration.

An entry of `ATTACKS` is a function (key, predict, image, label, *, eps, norm, ...) ->
Proposal. A name may carry counts: `pgd-20` is 20 steps, `pgd-20x5` is 20 steps and 5
restarts, for every attack that has the keywords `steps` and `restarts`. Names joined
by commas are a list; `none` is the empty one.
"""

import functools
import inspect
import re

import jax
import numpy as np

from mspd_jax.attacks._ball import check_norm
from mspd_jax.attacks._bim import bim
from mspd_jax.attacks._fgsm import fgsm
from mspd_jax.attacks._pgd import pgd
from mspd_jax.errors import InputError

ATTACKS = {"fgsm": fgsm, "bim": bim, "pgd": pgd}


def resolve_attack(name, *, eps, norm, **options) -> jax.tree_util.Partial:
    """The attack `name` with its threat model and options filled in.

    The result is a pytree to be called with (key, predict, image, label). Floats and
    arrays among eps and the options are its leaves, hence traced: sweeping them does
    not recompile. All else (integers, flags, functions, None) is static, and equal
    static options give the identical function object, so nothing compiles twice.

    Raises InputError if the name is unknown or has counts that its attack does not
    take, ValueError if an option or the norm is not one of the attack's.
    """
    check_norm(norm)
    function, counts = _parse(name)
    settings = {"norm": norm, **counts, **options}
    known = inspect.signature(function).parameters
    for option in settings:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}: {', '.join(known)}")
    traced = {k: v for k, v in settings.items() if _is_traced(v)}
    static = {k: v for k, v in settings.items() if k not in traced}
    configured = _configure(function, tuple(sorted(static.items())))
    leaves = {k: _leaf(v) for k, v in {"eps": eps, **traced}.items()}
    return jax.tree_util.Partial(configured, **leaves)


def resolve_attacks(names, *, eps, norm, **options) -> dict:
    """The attacks of a comma-separated list, by name as given, in the order given."""
    parts = [part.strip() for part in names.split(",")]
    if parts == ["none"]:
        return {}
    return {part: resolve_attack(part, eps=eps, norm=norm, **options) for part in parts}


def _parse(name):
    """Splits `pgd-20x5` into the function and its counts."""
    stem, steps, restarts = re.fullmatch(
        r"(.*?)(?:-(\d+)(?:x(\d+))?)?", name.strip(), flags=re.DOTALL
    ).groups()
    if stem not in ATTACKS:
        raise InputError(
            f"unknown attack {name!r}: choose from {', '.join(sorted(ATTACKS))}, with "
            "steps and restarts as in pgd-20 or pgd-20x5, or none"
        )
    given = {"steps": steps, "restarts": restarts}
    counts = {key: int(count) for key, count in given.items() if count is not None}
    for key, count in counts.items():
        if key not in inspect.signature(ATTACKS[stem]).parameters:
            raise InputError(f"attack {name!r}: {stem} takes no number of {key}")
        if count < 1:
            raise InputError(f"attack {name!r}: {key} must be at least 1")
    return ATTACKS[stem], counts


def _is_traced(value):
    return isinstance(value, float | np.floating | np.ndarray | jax.Array)


def _leaf(value):
    # One dtype whatever the caller wrote: 0, 0.03 and float64 share a compilation.
    if isinstance(value, int | float | np.floating):
        return np.float32(value)
    return value


@functools.cache
def _configure(function, static):
    return functools.partial(function, **dict(static))
