"""Defences that flags put in front of each target, and the attacks they call for."""

import functools

from absl import flags

from launch import _job
from mspd_jax import attacks, defenses, models
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
_NONE = "none"
_OWN = ("defense", "purify", "adaptive")


def define_flags() -> None:
    """The flags of defences."""
    flags.DEFINE_string(
        "defense", None, "what stands in front of the target, from left to right as "
        "the image meets it: " + defenses.known_defenses(),
    )  # fmt: skip
    flags.DEFINE_list(
        "purify", None, "defences to put in front of everything else, each in turn in "
        "a run folder of its own; none is the target as it is",
    )  # fmt: skip
    flags.DEFINE_bool(
        "adaptive", True, "with a defence, attack it as somebody who knows of it does: "
        "every attack on the model without it (static:), through it, and through it "
        "with the gradient of the identity (bpda:; unmasked: for those defences "
        "alone that hide theirs), of a constant gradient map (detached:) or of the "
        "mean over draws (eot:), with scores alone, and from --surrogate (transfer:); "
        "with --noadaptive as --attack names them",
    )  # fmt: skip


def chains() -> dict[str | None, str | None]:
    """The defences to evaluate, None for none, by the purifier in front as given."""
    given = [None] if FLAGS.purify is None else [p.strip() for p in FLAGS.purify]
    if not given or "" in given:
        raise InputError("--purify names no purifier: write --purify=none,jpeg:75")
    if len(set(given)) < len(given):
        raise InputError(f"--purify={','.join(given)} names a purifier twice")
    behind = [] if _is_none(FLAGS.defense) else [FLAGS.defense]
    found = {
        purifier: [*([] if _is_none(purifier) else [purifier]), *behind]
        for purifier in given
    }
    return {p: ",".join(chain) or None for p, chain in found.items()}


def defend_each(
    targets: dict[str, models.Model], texts: list[str | None]
) -> dict[tuple[str, str | None], defenses.Defended | None]:
    """Each target behind each chain of defences, None behind none of them."""
    load = functools.cache(models.load_model)  # once for all targets and chains
    found = {}
    for path, model in targets.items():
        predict = models.predictor(model)
        for text in texts:
            found[path, text] = text and defenses.defend(
                _job.job_key("defense"), predict, text, spec=model.spec, load=load
            )
    return found


def attacks_on(
    defended: defenses.Defended | None, names: str, norm: str, *, transfers: bool
) -> str:
    """The attacks of a list as this model is to meet them."""
    if defended is None or not FLAGS.adaptive:
        return names
    return attacks.adaptive_attacks(
        names, norm=norm, views=defended.views, claim=defended.claim,
        transfers=transfers,
    )  # fmt: skip


def misfits(defended: defenses.Defended | None, target: models.Model) -> list[str]:
    """What is said of restoration networks that were trained for another model."""
    own = models.function_hash(target)
    return [
        f"--defense: the restoration network {role!r} was trained for another "
        "classifier than the target"
        for role, model in (defended.used if defended else {}).items()
        if model.spec.origin.get("classifier", own) != own
    ]


def own_flags(values: dict, purifier: str | None) -> dict:
    """The flags of a run with this purifier; without any defence as if there were no
    such flags, so that a run which began before there were goes on."""
    chosen = {
        "defense": None if _is_none(FLAGS.defense) else FLAGS.defense,
        "purify": None if _is_none(purifier) else purifier,
    }
    if not any(chosen.values()):
        return {name: value for name, value in values.items() if name not in _OWN}
    return values | chosen


def folder_names(purifiers: list[str | None]) -> dict[str | None, str]:
    """A folder for each purifier, "" where no list of them was given."""
    names = {p: _slug(p) for p in purifiers}
    ends = list(names.values())
    return {
        p: name if ends.count(name) == 1 else f"{name}-{place}"
        for place, (p, name) in enumerate(names.items())
    }


def _slug(purifier):
    """`denoiser:runs/stab` as denoiser_stab."""
    name, _, argument = (purifier or "").partition(":")
    end = argument.rstrip("/").removesuffix("/model").rpartition("/")[2]
    return f"{name}_{end}" if end else name


def _is_none(text):
    return text in (None, _NONE)
