"""The log of epochs: means, and what an interruption leaves of it."""

import math

from mspd_jax.runs import append_metrics, epoch_line, read_metrics, rewind_metrics


def test_a_line_holds_the_means_of_its_epoch():
    totals = {"loss": 6.0, "clean_accuracy": 3.0, "robust_accuracy": math.nan}
    line = epoch_line(totals, step=8, steps_per_epoch=4, seconds=1.5)
    assert line == {
        "epoch": 2,
        "step": 8,
        "loss": 1.5,
        "clean_accuracy": 0.75,
        "robust_accuracy": None,
        "seconds": 1.5,
    }


def test_rewinding_drops_later_epochs_and_torn_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rewind_metrics(tmp_path, 0)  # nothing there: nothing to do
    assert not path.exists()
    for step in (4, 8, 12):
        append_metrics(tmp_path, {"step": step})
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"step": 1')
    rewind_metrics(tmp_path, 9)
    assert path.read_text().splitlines() == ['{"step": 4}', '{"step": 8}']
    append_metrics(tmp_path, {"step": 12})
    assert [line["step"] for line in read_metrics(tmp_path)] == [4, 8, 12]
