"""The first table of a report: rows in words."""

import json

from mspd_jax import report
from mspd_jax.report._rows import summary_rows
from mspd_jax.report._summary import table_rows
from mspd_jax.runs import read_runs
from tests.report.folders import evaluate_run, protect_run, sweep_run, write_run


def table(*paths):
    """The rows of the table, and its columns: those of its head."""
    rows = table_rows(summary_rows(read_runs([str(p) for p in paths])))
    head = report.markdown_table(rows).splitlines()[0]
    return rows, [column.strip() for column in head.strip("|").split("|")]


def test_rows_hold_what_the_summaries_say(tmp_path):
    protect_run(tmp_path)
    evaluate_run(tmp_path, "after", f"folder:{tmp_path / 'protect'}", 2 / 3)
    rows, columns = table(tmp_path / "protect", tmp_path / "after")
    assert columns.index("robust % (worst case)") < columns.index("attack fgsm %")
    assert [row["run"] for row in rows] == ["protect", "after"]
    protect, after = rows
    assert protect["model"] == "robust" and after["model"] == "other"
    assert protect["labels right %"] == "66.6"
    assert protect["l_inf mean / max (levels of 255)"] == "4 / 8"
    assert protect["seconds / image"] == "3" and after["seconds / image"] == "0.02"
    assert protect["clean %"] is None and protect["warnings"] == "one | two"
    assert after["robust % (worst case)"] == "66.6 (20.0 to 90.0)"
    assert after["clean %"] == "100.0 (43.8 to 100.0)"
    assert after["attack fgsm %"] == "90.0" and after["warnings"] is None
    assert "one \\| two" in report.markdown_table(rows)


def test_an_unfinished_run_is_marked(tmp_path):
    protect_run(tmp_path, finished=False)
    (row,), columns = table(tmp_path / "protect")
    assert row["images"] == 3 and "unfinished" in row["warnings"]
    assert "clean %" not in columns and "warnings" in columns


def test_training_is_described_by_what_it_was_evaluated_on(tmp_path):
    fields = {
        "source": "digits:train",
        "eval_source": "digits:test",
        "arch": "small_cnn",
    }
    records = [{"index": i, "label": 0} for i in range(4)]
    summary = {
        "images": 9999,
        "images_per_second": 50.0,
        "seconds": 1.0,
        "eval_images": 4,
        "clean_accuracy": 0.75,
    }
    write_run(tmp_path / "net", "train_classifier", fields, records, summary)
    (row,), _ = table(tmp_path)
    assert (row["images"], row["clean %"]) == (4, "75.0")
    assert row["source"] == "digits:test" and row["seconds / image"] is None


def test_a_masked_gradient_spoils_the_claim_and_not_the_minimum(tmp_path):
    path = sweep_run(tmp_path, "8/255", 0.25, reliable=False, defense="gcm")
    summary = json.loads((path / "summary.json").read_text())
    summary |= {"claimed_accuracy": 0.75, "claimed_interval": [0.5, 0.9]}

    def marked(attacks, check):
        summary["attacks"], summary["reliability"][0]["name"] = attacks, check
        (path / "summary.json").write_text(json.dumps(summary))
        (row,), _ = table(tmp_path)
        columns = ("robust % (worst case)", "claimed %")
        return ["UNRELIABLE" in row[column] for column in columns]

    adapted = {"pgd": 0.75, "bpda:pgd": 0.25}
    assert marked(adapted, "sign coherence") == [False, True]
    assert marked(adapted, "batch mates") == [True, True]
    assert marked({"pgd": 0.75, "static:pgd": 0.25}, "sign coherence") == [True, True]


def test_a_failed_check_marks_the_number(tmp_path):
    sweep_run(tmp_path, "8/255", 0.25, reliable=False)
    (row,), columns = table(tmp_path)
    assert row["robust % (worst case)"] == "25.0 (0.0 to 90.0) UNRELIABLE"
    assert row["after apgd-ce %"] == "75.0" and "after square %" in columns
    assert row["warnings"] == "unreliable: black box"


def test_a_passed_check_marks_nothing(tmp_path):
    sweep_run(tmp_path, "8/255", 0.25)
    (row,), _ = table(tmp_path)
    assert "UNRELIABLE" not in row["robust % (worst case)"]
