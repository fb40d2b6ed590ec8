"""From verdicts on patches to totals.

Records are those of a certification against patches: {"prediction": int, "alert": bool,
"certified": bool, "correct": bool, "predictions": int}, and more. "correct" is a right
class without an alert: an alert on a clean image is an error. Of attacked images,
"attacks" holds what was said of them: {name: {"prediction": int, "alert": bool}}.
"""

from collections.abc import Sequence

from mspd_jax.evaluate._interval import rounded_interval


def detected_totals(records: Sequence[dict]) -> dict:
    """Totals over the verdicts of a data set, for summary.json.

    certified_accuracy: share of images that are right and certified, and
    certified_interval its 95 % over the choice of images (Wilson); clean_accuracy:
    right and without an alert, and clean_interval; unguarded_accuracy: right, alert or
    not; alert_rate: share of these clean images with an alert; mean_predictions: of the
    classifier, per image. Without images there are none (None).

    Of attacked images: attacks, {name: share of all images that are "correct" as they
    are and right, or under an alert, after that attack}; robust_accuracy, after every
    one of them, and its robust_interval: no less than what is certified. undetected,
    {name: share of all images that are wrong without an alert after it}: no more than
    what is not certified. broken_certificates: how many certified images, right or not,
    have another class without an alert after an attack, which the theorem excludes.
    """
    images = len(records)
    attacked = images and "attacks" in records[0]
    right = [record["prediction"] == record["label"] for record in records]
    certified = sum(
        record["certified"] and good
        for record, good in zip(records, right, strict=True)
    )
    correct = sum(record["correct"] for record in records)

    def mean(total):
        return float(total) / images if images else None

    return {
        "certified_accuracy": mean(certified),
        "certified_interval": rounded_interval(certified, images),
        "clean_accuracy": mean(correct),
        "clean_interval": rounded_interval(correct, images),
        "unguarded_accuracy": mean(sum(right)),
        "alert_rate": mean(sum(record["alert"] for record in records)),
        "mean_predictions": mean(sum(record["predictions"] for record in records)),
        **(_after_attacks(records) if attacked else {}),
    }


def _after_attacks(records):
    names = list(records[0]["attacks"])

    def stands(record, name):
        after = record["attacks"][name]
        return after["alert"] or after["prediction"] == record["label"]

    def share(which):
        kept = sum(r["correct"] and all(stands(r, n) for n in which) for r in records)
        return kept, kept / len(records)

    kept, worst = share(names)
    broken = sum(
        record["certified"]
        and any(
            not after["alert"] and after["prediction"] != record["prediction"]
            for after in record["attacks"].values()
        )
        for record in records
    )
    return {
        "robust_accuracy": worst,
        "robust_interval": rounded_interval(kept, len(records)),
        "attacks": {name: share([name])[1] for name in names},
        "undetected": {
            name: sum(not stands(r, name) for r in records) / len(records)
            for name in names
        },
        "broken_certificates": broken,
    }
