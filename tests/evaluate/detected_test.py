"""Totals over verdicts on patches."""

import pytest

from mspd_jax import evaluate


def record(prediction, *, alert=False, certified=False, predictions=10, **attacks):
    """Of an image of class 3; attacks: name -> (prediction, alert) after it."""
    told = {
        name: {"prediction": after[0], "alert": after[1]}
        for name, after in attacks.items()
    }
    return {
        "label": 3,
        "prediction": prediction,
        "alert": alert,
        "certified": certified,
        "correct": prediction == 3 and not alert,
        "predictions": predictions,
    } | ({"attacks": told} if told else {})


def test_an_alert_on_a_clean_image_is_an_error():
    records = [
        record(3, certified=True),
        record(3, alert=True, predictions=2),
        record(4, certified=True),
        record(3),
    ]
    totals = evaluate.detected_totals(records)
    assert totals["certified_accuracy"] == 0.25  # certified and wrong does not count
    assert totals["clean_accuracy"] == 0.5
    assert totals["unguarded_accuracy"] == 0.75
    assert totals["alert_rate"] == 0.25
    assert totals["mean_predictions"] == 8.0
    low, high = evaluate.wilson_interval(1, 4)
    expected = [round(float(low), 4), round(float(high), 4)]
    assert totals["certified_interval"] == expected
    assert "attacks" not in totals


def test_no_images_have_no_shares():
    assert set(evaluate.detected_totals([]).values()) == {None}


def test_under_attack_an_alert_counts_as_right():
    records = [
        record(3, certified=True, a=(3, False), b=(5, True)),
        record(3, a=(5, False), b=(5, True)),  # undetected by a
        record(3, alert=True, a=(3, False), b=(3, False)),  # an error as it is
        record(4, a=(4, False), b=(3, False)),  # wrong as it is
    ]
    totals = evaluate.detected_totals(records)
    assert totals["attacks"] == {"a": 0.25, "b": 0.5}
    assert totals["robust_accuracy"] == 0.25
    assert totals["undetected"] == {"a": 0.5, "b": 0.0}
    assert totals["broken_certificates"] == 0


@pytest.mark.parametrize("prediction", [3, 4])
@pytest.mark.parametrize("after, broken", [((5, False), 1), ((5, True), 0)])
def test_a_certificate_breaks_whatever_the_true_class(prediction, after, broken):
    records = [record(prediction, certified=True, a=after)]
    assert evaluate.detected_totals(records)["broken_certificates"] == broken
