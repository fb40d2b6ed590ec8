"""From records to accuracies: worst case over attacks first, each with its interval."""

from collections.abc import Sequence

from mspd_jax.evaluate._interval import rounded_interval


def accuracies(
    records: Sequence[dict],
    attacks: Sequence[str] | None = None,
    *,
    each_alone: bool = True,
    claimed: Sequence[str] = (),
) -> dict:
    """Clean and robust accuracy over records of an evaluation.

    records: {"correct": bool, "attacks": {name: {"found": bool, "finite": bool}}}. An
    image is robust to an attack if it was right before and the attack found nothing; an
    attack that never met it has no entry. `robust_accuracy` counts the images that are
    robust to every attack (worst case). attacks: their names in the order they ran; of
    the first record if not given. With `each_alone` the accuracy of an attack is about
    that attack only; without, about it and all before it, which is what attacks that
    met only what was left can tell. claimed: those attacks under which a defense was
    measured by its authors; their worst case is `claimed_accuracy`. It is exact if no
    other attack ran before them, or each alone. Intervals hold with 95 % confidence
    over the choice of images.
    """
    count = len(records)
    if attacks is None:
        attacks = list(records[0]["attacks"]) if records else []
    clean = sum(r["correct"] for r in records)
    survived = {
        name: sum(
            survives(r, [name] if each_alone else attacks[: place + 1]) for r in records
        )
        for place, name in enumerate(attacks)
    }
    worst = sum(survives(r, attacks) for r in records)
    published = sum(survives(r, claimed) for r in records)
    broken = sum(not a["finite"] for r in records for a in r["attacks"].values())

    def shown(name, total):
        share = total / count if count else None
        return {
            f"{name}_accuracy": share,
            f"{name}_interval": rounded_interval(total, count),
        }

    summary = shown("clean", clean)
    if attacks:
        summary |= shown("robust", worst)
    if claimed:
        summary |= shown("claimed", published)
    if attacks:
        summary |= {
            "attacks": {n: s / count for n, s in survived.items() if count},
            "attack_intervals": {
                n: rounded_interval(s, count) for n, s in survived.items() if count
            },
            "attacks_each_alone": each_alone,
        }
    warning = f"{broken} proposals or logits were not finite"
    return summary | {"warnings": [warning] if broken else []}


def survives(record: dict, names: Sequence[str] | None = None) -> bool:
    """Whether an image was right, and stayed so after these attacks.

    names: those that count, all that it met if not given.
    """
    met = record["attacks"]
    fell = any(met[n]["found"] for n in (met if names is None else names) if n in met)
    return record["correct"] and not fell
