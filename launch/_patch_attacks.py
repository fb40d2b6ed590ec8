"""Attacks on what certify says of patches: flags, and what becomes of an image."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from absl import flags
from jax.tree_util import Partial

from mspd_jax import attacks, patch
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
NAMES = ("pgd", "aware")
SIZES = ("attack_steps", "attack_positions", "attack_sample")
OWN = ("attack", *SIZES)


def define_flags() -> None:
    """The flags of attacks."""
    flags.DEFINE_list(
        "attack", [], "attack every image as well: pgd (makes the class wrong), aware "
        "(and all windows agree on it), or both; no certificate may fall"
    )  # fmt: skip
    flags.DEFINE_integer("attack_steps", 100, "steps of an attack at a position", 1)
    flags.DEFINE_integer(
        "attack_positions", 5, "places that it tries: the corners of the image, then "
        "those farthest from them; 0 for every place", 0,
    )  # fmt: skip
    flags.DEFINE_integer(
        "attack_sample", 8, "windows that aware asks in a step: so many at random, and "
        "so many of those that contradict it; 0 for all", 0,
    )  # fmt: skip


def check_flags(method: str) -> None:
    """InputError unless the attacks exist and go with the method."""
    for name in FLAGS.attack:
        if name not in NAMES:
            raise InputError(f"--attack={name}: expected some of {', '.join(NAMES)}")
    if "aware" in FLAGS.attack and method == "patchcleanser":
        raise InputError(
            "--attack=aware evades alerts, which patchcleanser does not raise: use pgd"
        )
    for name in SIZES:
        needed = ["aware"] if name == "attack_sample" else NAMES
        if FLAGS[name].present and not set(needed) & set(FLAGS.attack):
            raise InputError(f"--{name} goes with --attack={','.join(needed)}")


def chosen_attacks(predict: Callable, shape: tuple[int, int, int], side: int) -> dict:
    """The attacks by name: (key, detector, image, label) -> attacked image.

    predict: image -> logits without a window, a callable pytree; pgd attacks it.
    """
    if not FLAGS.attack:
        return {}
    positions = jnp.asarray(
        attacks.patch_positions(shape, patch=side, count=FLAGS.attack_positions or None)
    )
    size = dict(patch=side, steps=FLAGS.attack_steps)
    aware = functools.partial(_aware, sample=FLAGS.attack_sample or None, **size)
    confidence = jnp.asarray(FLAGS.confidence, jnp.float32)
    made = {
        "pgd": Partial(functools.partial(_pgd, **size), predict, positions),
        "aware": Partial(aware, positions, confidence),
    }
    return {name: made[name] for name in FLAGS.attack}


def attacked(
    key: jax.Array,
    chosen: dict[str, Partial],
    judge: Callable,
    detector: Callable,
    image: jax.Array,
    label: jax.Array,
    answer: jax.Array,
) -> dict:
    """What the judge says of the image after each attack.

    judge: image -> (label, alert). label: the true one; where there is none, -1, the
    attacks start from `answer`, what the image was taken for.
    """
    label = jnp.where(label < 0, answer, label)
    keys = jax.random.split(key, len(NAMES))
    return {
        name: judge(attack(keys[NAMES.index(name)], detector, image, label))
        for name, attack in chosen.items()
    }


def _pgd(predict, positions, key, detector, image, label, *, patch, steps):
    del detector
    return attacks.patch_pgd(
        key, predict, image, label, patch=patch, positions=positions, steps=steps
    ).image


def _aware(positions, confidence, key, detector, image, label, **size):
    return patch.evade(
        key, detector, image, label, positions=positions, confidence=confidence, **size
    ).image
