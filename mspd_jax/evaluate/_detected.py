"""From verdicts on patches to totals.

Records are those of a certification against patches: {"prediction": int, "alert": bool,
"certified": bool, "correct": bool, "predictions": int}, and more. "correct" is a right
class without an alert: an alert on a clean image is an error.
"""

from collections.abc import Sequence

from mspd_jax.evaluate._interval import wilson_interval


def detected_totals(records: Sequence[dict]) -> dict:
    """Totals over the verdicts of a data set, for summary.json.

    certified_accuracy: share of images that are right and certified, and
    certified_interval its 95 % over the choice of images (Wilson); clean_accuracy:
    right and without an alert, and clean_interval; unguarded_accuracy: right, alert or
    not; alert_rate: share of these clean images with an alert; mean_predictions: of the
    classifier, per image. Without images there are none (None).
    """
    images = len(records)
    right = [record["prediction"] == record["label"] for record in records]
    certified = sum(
        record["certified"] and good
        for record, good in zip(records, right, strict=True)
    )
    correct = sum(record["correct"] for record in records)

    def mean(total):
        return float(total) / images if images else None

    def interval(count):
        return [round(float(end), 4) for end in wilson_interval(count, images)]

    return {
        "certified_accuracy": mean(certified),
        "certified_interval": interval(certified) if images else None,
        "clean_accuracy": mean(correct),
        "clean_interval": interval(correct) if images else None,
        "unguarded_accuracy": mean(sum(right)),
        "alert_rate": mean(sum(record["alert"] for record in records)),
        "mean_predictions": mean(sum(record["predictions"] for record in records)),
    }
