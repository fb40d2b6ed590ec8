"""Whether the outcomes of a finished evaluation agree with each other."""

from collections.abc import Sequence

from mspd_jax.attacks import parse_attack, split_view
from mspd_jax.errors import InputError
from mspd_jax.evaluate.checks._attack import monotone
from mspd_jax.evaluate.checks._check import Check, beyond_noise, noise_allowed

# Views of attackers who know less than all: another model, or none of the defense.
_WEAKER = ("static", "transfer")


def check_results(records: Sequence[dict]) -> list[Check]:
    """Three checks of the records of an evaluation.

    black box beats white box   scores-only attacks break what gradients do not
    transfer beats white box    so do attacks from a surrogate
    finite proposals            attacks and logits were finite

    records: {"correct": bool, "attacks": {name: {"found": bool, "finite": bool}}}. An
    attack may be missing from a record, if the image had fallen before. Only images
    that were right and that met both kinds of attack are compared. What saw the model
    without its defense (`static:`) counts like what saw another (`transfer:`); all
    other views are those of a white box. A name that is not in the registry counts as a
    gradient attack.
    """
    return [
        _beaten(
            "black box beats white box", records, "scores-only attacks", _scores_only
        ),
        _beaten("transfer beats white box", records, "transferred attacks", _moved),
        _finite(records),
    ]


def check_sweep(points: Sequence[tuple[float, float, int]]) -> Check:
    """Whether the robust accuracy of one target falls with eps.

    points: (eps, robust accuracy, number of images), in any order; the tolerance is
    that of the smallest number.
    """
    count = min((images for *_, images in points), default=0)
    return monotone([(eps, accuracy) for eps, accuracy, _ in points], count)


def _beaten(name, records, kind, is_kind):
    met = [r["attacks"] for r in records if r["correct"]]
    both = [
        attacks
        for attacks in met
        if any(is_kind(n) for n in attacks) and any(_white_box(n) for n in attacks)
    ]
    # Where the gradient attack came second it never met what had fallen: no verdict.
    more = sum(
        any(a["found"] for n, a in attacks.items() if is_kind(n))
        and not any(a["found"] for n, a in attacks.items() if _white_box(n))
        for attacks in both
    )
    # Nor did what fell first meet the gradient attacks: nothing is known of it.
    unmet = sum(
        any(a["found"] for n, a in attacks.items() if is_kind(n))
        and not any(_white_box(n) for n in attacks)
        for attacks in met
    )
    count = len(records)
    known = both and not (unmet and not beyond_noise(more, count))
    if both and not known:
        measured = f"nothing: {unmet} images fell to {kind} before any gradient attack"
    elif both:
        measured = (
            f"{kind} break {more} of {count} images that no gradient attack breaks"
        )
    else:
        measured = f"nothing: no image met both {kind} and gradient attacks"
    return Check(
        name,
        not beyond_noise(more, count) if known else None,
        measured,
        f"no more than {noise_allowed(count)}",
        "the gradient attacks fail where attacks that know less succeed: the gradient "
        "is masked; use bpda or eot, and report the minimum",
    )


def _finite(records):
    outcomes = [a for r in records for a in r["attacks"].values()]
    broken = sum(not a["finite"] for a in outcomes)
    return Check(
        "finite proposals",
        broken == 0 if outcomes else None,
        f"{broken} of {len(outcomes)} proposals or their logits not finite"
        if outcomes
        else "nothing: no attack was run",
        "none",
        "the attack or the model overflows: compute in float32, look for a division by "
        "zero or the square root of zero",
    )


def _moved(name):
    return split_view(name)[0] in _WEAKER


def _scores_only(name):
    if _moved(name):
        return False
    try:
        return parse_attack(split_view(name)[1])[0].scores_only
    except InputError:
        return False


def _white_box(name):
    return not _moved(name) and not _scores_only(name)
