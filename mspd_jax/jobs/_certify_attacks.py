"""Attacks on detectors of patches, and what becomes of an image under them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax import attacks, patch
from mspd_jax.errors import InputError
from mspd_jax.jobs._certify_methods import Minority, PatchAttacks, PatchCleanser

_NAMES = ("pgd", "aware")


def check_attacks(method: Minority | PatchCleanser) -> None:
    """InputError unless the attacks exist and go with the method."""
    chosen = method.attacks or PatchAttacks()
    for name in chosen.attack:
        if name not in _NAMES:
            raise InputError(f"`attack`={name}: expected some of {', '.join(_NAMES)}")
    aware = "aware" in chosen.attack
    if aware and isinstance(method, PatchCleanser):
        raise InputError(
            "`attack`=aware evades alerts, which patchcleanser does not raise: use pgd"
        )
    if not aware and chosen.attack_sample != PatchAttacks.attack_sample:
        raise InputError("`attack_sample` goes with `attack`=aware")


def patch_attacks(
    predict: Callable,
    *,
    method: Minority | PatchCleanser,
    shape: tuple[int, int, int],
    side: int,
) -> dict[str, tuple[Callable | None, Partial]]:
    """By name, what is attacked, None for the detector itself, and by which attack.

    predict: image -> logits without a window, a callable pytree; pgd attacks it.
    """
    chosen = method.attacks or PatchAttacks()
    if not chosen.attack:
        return {}
    count = chosen.attack_positions or None
    positions = jnp.asarray(attacks.patch_positions(shape, patch=side, count=count))
    size: dict[str, Any] = {"patch": side, "steps": chosen.attack_steps}
    pgd = attacks.fixed(attacks.patch_pgd, **size)
    aware = attacks.fixed(patch.evade, sample=chosen.attack_sample or None, **size)
    confidence = jnp.asarray(getattr(method, "confidence", 0.0), jnp.float32)
    made = {
        "pgd": (predict, Partial(pgd, positions=positions)),
        "aware": (None, Partial(aware, positions=positions, confidence=confidence)),
    }
    return {name: made[name] for name in chosen.attack}


def ask_and_attack(
    ask: Callable,
    chosen: dict[str, tuple[Callable | None, Partial]],
    key: jax.Array,
    detector: Callable,
    image: jax.Array,
    label: jax.Array,
) -> tuple[Any, dict]:
    """What is said of the image, and (label, alert) of it after each attack.

    ask: (detector, image) -> what is said. label: the true one; where there is none,
    -1, the attacks start from what the image is taken for.
    """
    found = ask(detector, image)
    label = jnp.where(label < 0, found.label, label)
    keys = jax.random.split(key, len(_NAMES))
    attacked = {}
    for name, (predict, attack) in chosen.items():
        own = keys[_NAMES.index(name)]
        against = detector if predict is None else predict
        said = ask(detector, attack(own, against, image, label).image)
        attacked[name] = said.label, getattr(said, "alert", jnp.asarray(False))
    return found, attacked


def described_attacks(attacked: dict) -> dict:
    """The field of a record that says what came of the attacks, if there were any."""
    found = {
        name: {"prediction": int(label), "alert": bool(alert)}
        for name, (label, alert) in attacked.items()
    }
    return {"attacks": found} if found else {}
