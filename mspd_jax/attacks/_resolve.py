"""From the name of an attack to a configured one: a pytree that a driver can call."""

import inspect
from typing import Any

import jax
import numpy as np

from mspd_jax.attacks._checks import check_norm
from mspd_jax.attacks._fixed import fixed
from mspd_jax.attacks._registry import parse_attack
from mspd_jax.errors import InputError


def resolve_attack(
    name: str, *, eps: float | jax.Array, norm: str, **options: Any
) -> jax.tree_util.Partial:
    """The attack `name` with its threat model and options filled in.

        attack = attacks.resolve_attack("pgd-20", eps=8 / 255, norm="linf")
        attack(jax.random.key(0), predict, image, label)    # a Proposal

    The result is a pytree to be called with (key, predict, image, label). Floats and
    arrays among eps and the options are its leaves, hence traced: sweeping them does
    not recompile. All else (integers, flags, functions, None) is static, and equal
    static options give the identical function object, so nothing compiles twice.

    Raises InputError if the name is unknown, has counts that its attack does not take,
    or is not defined in that norm, ValueError if an option or the norm is not known.
    """
    check_norm(norm)
    attack, named = parse_attack(name)
    if norm not in attack.norms:
        raise InputError(
            f"attack {name!r} is defined for `norm`={' and '.join(attack.norms)}; "
            f"got {norm}"
        )
    settings = {**named, "norm": norm, **options}
    # Of misspelt keywords alone: what an attack can do is in the fields of `Attack`.
    known = inspect.signature(attack.function).parameters
    for option in settings:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}: {', '.join(known)}")
    numbers = float | np.floating | np.ndarray | jax.Array
    traced = {k: v for k, v in settings.items() if isinstance(v, numbers)}
    static = {k: v for k, v in sorted(settings.items()) if k not in traced}
    leaves = {k: _leaf(v) for k, v in {"eps": eps, **traced}.items()}
    return jax.tree_util.Partial(fixed(attack.function, **static), **leaves)


def _leaf(value):
    # One dtype whatever the caller wrote: 0, 0.03 and float64 share a compilation.
    if isinstance(value, int | float | np.floating):
        return np.float32(value)
    return value
