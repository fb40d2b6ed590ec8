"""From records to accuracies: worst case over attacks first, each with its interval."""

from collections.abc import Sequence

from mspd_jax.evaluate._interval import wilson_interval


def accuracies(records: Sequence[dict]) -> dict:
    """Clean and robust accuracy over records of an evaluation.

    records: {"correct": bool, "attacks": {name: {"found": bool, "finite": bool}}}. An
    image is robust to an attack if it was right before and the attack found nothing;
    `robust_accuracy` counts the images that are robust to every attack (worst case).
    Intervals hold with 95 % confidence over the choice of images.
    """
    count = len(records)
    names = list(records[0]["attacks"]) if records else []
    clean = sum(r["correct"] for r in records)
    survived = {n: sum(_survives(r, n) for r in records) for n in names}
    worst = sum(all(_survives(r, n) for n in names) for r in records)
    broken = sum(not a["finite"] for r in records for a in r["attacks"].values())
    summary = {
        "clean_accuracy": clean / count if count else None,
        "clean_interval": _interval(clean, count) if count else None,
    }
    if names:
        summary |= {
            "robust_accuracy": worst / count,
            "robust_interval": _interval(worst, count),
            "attacks": {n: survived[n] / count for n in names},
        }
    warnings = []
    if broken:
        warnings.append(f"{broken} proposals or logits were not finite")
    return summary | {"warnings": warnings}


def _interval(successes: int, count: int) -> list[float]:
    low, high = wilson_interval(successes, count)
    return [round(float(low), 4), round(float(high), 4)]


def _survives(record: dict, name: str) -> bool:
    return record["correct"] and not record["attacks"][name]["found"]
