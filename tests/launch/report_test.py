"""Reports on run folders as the other mains leave them, written here by hand."""

import csv
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from launch import (
    _report_checks,
    _report_curves,
    _report_picture,
    _report_rows,
)
from mspd_jax import data
from mspd_jax.errors import InputError
from mspd_jax.evaluate import markdown_table
from mspd_jax.runs import read_runs

ROOT = pathlib.Path(__file__).resolve().parents[2]


def write_run(path, job, flags, records, summary=None, **info):
    path.mkdir(parents=True, exist_ok=True)
    info = {"job": job, "flags": flags, "models": {"target": "ab"}, **info}
    (path / "run.json").write_text(json.dumps(info))
    lines = [json.dumps(record) + "\n" for record in records]
    (path / "records.jsonl").write_text("".join(lines))
    if summary is not None:
        (path / "summary.json").write_text(json.dumps(summary))
    return path


def image(path, index, level):
    data.write_png(path, np.full((8, 8, 1), level, np.uint8))
    return {"index": index, "label": index % 10}


def protect_run(root, finished=True):
    path = root / "protect"
    records = []
    for index in (0, 4, 8):
        file = f"images/{index:05d}_{index}.png"
        record = image(path / file, index, 100)
        records.append({**record, "file": file, "used_label": index})
    summary = {
        "images": 3,
        "seconds": 9.0,
        "images_computed": 3,
        "images_per_second": None,
        "labeler": "coupled",
        "labeler_accuracy": 2 / 3,
        "linf_max": 8 / 255,
        "linf_mean": 4 / 255,
        "l2_max": 0.25,
        "l2_mean": 0.125,
        "warnings": ["one | two"],
    }
    flags = {"source": "digits:test", "surrogate": "nets/robust/model", "eps": "8/255",
             "norm": "linf", "data_dir": None}  # fmt: skip
    write_run(path, "protect", flags, records, summary if finished else None)
    return path


def evaluate_run(root, name, source, robust, saved=True, shift=0):
    path = root / name
    attacks = {"fgsm": 0.9, "pgd-20": robust}
    records = []
    for index in (0, 4, 8):
        verdicts = {
            attack: {"found": index == 4, "prediction": 3, "finite": True}
            for attack in attacks
        }
        record = {"index": index, "label": index, "correct": True}
        record["prediction"] = index + shift
        if saved:
            for attack, verdict in verdicts.items():
                verdict["file"] = f"adversarial/{attack}/{index:05d}_{index}.png"
        records.append({**record, "attacks": verdicts})
    summary = {
        "images": 3,
        "images_per_second": 50.0,
        "clean_accuracy": 1.0,
        "clean_interval": [0.4385, 1.0],
        "robust_accuracy": robust,
        "robust_interval": [0.2, 0.9],
        "attacks": attacks,
        "warnings": [],
    }
    flags = {"source": source, "target": "nets/other", "eps": "8/255", "norm": "linf",
             "data_dir": None}  # fmt: skip
    write_run(path, "evaluate", flags, records, summary)
    for record in records if saved else []:
        for verdict in record["attacks"].values():
            image(path / verdict["file"], record["index"], 200)
    return path


def table(runs):
    told = _report_rows.told_rows(_report_rows.raw_rows(runs))
    columns = _report_rows.told_columns(told)
    return told, columns


def test_rows_hold_what_the_summaries_say(tmp_path):
    protect_run(tmp_path)
    evaluate_run(tmp_path, "after", f"folder:{tmp_path / 'protect'}", 2 / 3)
    told, columns = table(read_runs([tmp_path / "protect", tmp_path / "after"]))
    assert columns.index("robust % (worst case)") < columns.index("attack fgsm %")
    assert [row["run"] for row in told] == ["protect", "after"]
    protect, after = told
    assert protect["model"] == "robust" and after["model"] == "other"
    assert protect["labels right %"] == "66.6"
    assert protect["l_inf mean / max (levels of 255)"] == "4 / 8"
    assert protect["seconds / image"] == "3" and after["seconds / image"] == "0.02"
    assert protect["clean %"] is None and protect["warnings"] == "one | two"
    assert after["robust % (worst case)"] == "66.6 (20.0 to 90.0)"
    assert after["clean %"] == "100.0 (43.8 to 100.0)"
    assert after["attack fgsm %"] == "90.0" and after["warnings"] is None
    assert "one \\| two" in markdown_table(told, columns)


def test_an_unfinished_run_is_marked(tmp_path):
    protect_run(tmp_path, finished=False)
    (told,), columns = table(read_runs([tmp_path / "protect"]))
    assert told["images"] == 3 and "unfinished" in told["warnings"]
    assert "clean %" not in columns and "warnings" in columns


def test_training_is_told_by_what_it_was_judged_on(tmp_path):
    flags = {
        "source": "digits:train",
        "eval_source": "digits:test",
        "arch": "small_cnn",
    }
    records = [{"index": i, "label": 0} for i in range(4)]
    summary = {"images": 9999, "images_per_second": 50.0, "seconds": 1.0,
               "eval_images": 4, "clean_accuracy": 0.75}  # fmt: skip
    write_run(tmp_path / "net", "train_classifier", flags, records, summary)
    (told,), _ = table(read_runs([tmp_path]))
    assert (told["images"], told["clean %"]) == (4, "75.0")
    assert told["source"] == "digits:test" and told["seconds / image"] is None


def test_folders_of_runs_are_searched_and_names_tell_them_apart(tmp_path):
    for end in ("a/x", "b/x", "b/y"):
        write_run(tmp_path / end, "evaluate", {}, [], {})
    runs = read_runs([str(tmp_path), str(tmp_path / "a" / "x")])
    assert [run.name for run in runs] == ["a/x", "b/x", "b/y"]


def broken(path):
    write_run(path, "protect", {}, [], {})
    (path / "summary.json").write_text("{")
    return "cannot read .*summary.json"


def no_object(path):
    write_run(path, "protect", {}, [], {})
    (path / "run.json").write_text("[1]")
    return "run.json holds no JSON object"


def absent(path):
    return "there is no folder"


def no_run(path):
    path.mkdir()
    return "is no run folder and holds none"


@pytest.mark.parametrize("make", [broken, no_object, absent, no_run])
def test_what_is_no_run_is_refused_in_one_line(tmp_path, make):
    message = make(tmp_path / "in")
    with pytest.raises(InputError, match=message) as caught:
        read_runs([str(tmp_path / "in")])
    assert "\n" not in str(caught.value)


@pytest.fixture
def seen(monkeypatch):
    """What the picture is made of: (rows, titles)."""
    calls = []

    def record(rows, titles):
        calls.append((rows, titles))
        return b"png"

    monkeypatch.setattr(_report_picture, "comparison_picture", record)
    return calls


def test_picture_shows_originals_files_and_verdicts(tmp_path, seen):
    protect = protect_run(tmp_path)
    evaluate_run(tmp_path, "before", "digits:test", 0.25, shift=1)
    evaluate_run(tmp_path, "after", f"folder:{protect}", 0.5)
    png, line = _report_picture.picture(read_runs([tmp_path]), count=2)
    ((rows, titles),) = seen
    assert png == b"png" and titles == list(_report_picture.TITLES)
    assert "pgd-20" in line and "First 2 images" in line  # the strongest attack
    source = data.open_source("digits:test")
    for number, row in enumerate(rows):
        original, protected, change, attacked, attacked_protected = row
        np.testing.assert_array_equal(original.image, source.read(number).image)
        np.testing.assert_allclose(protected.image, 100 / 255, atol=1e-6)
        want = np.clip(0.5 + 10 * (100 / 255 - original.image), 0, 1)
        np.testing.assert_allclose(change.image, want, atol=1e-5)
        for tile in (attacked, attacked_protected):
            np.testing.assert_allclose(tile.image, 200 / 255, atol=1e-6)
            assert (tile.caption, tile.right) == ("3", False)
        assert (protected.caption, protected.right) == (str(4 * number), True)
        assert (original.caption, original.right) == (str(4 * number + 1), False)


def test_picture_goes_without_what_is_not_there(tmp_path, seen):
    protect = protect_run(tmp_path)
    evaluate_run(tmp_path, "after", f"folder:{protect}", 0.5, saved=False)
    info = json.loads((protect / "run.json").read_text())
    info["flags"]["source"] = "folder:/nowhere"
    (protect / "run.json").write_text(json.dumps(info))
    _, line = _report_picture.picture(read_runs([tmp_path]), count=8)
    ((rows, titles),) = seen
    assert titles == ["protected"] and len(rows) == 3
    assert "--save_images" in line and "/nowhere" in line
    alone = read_runs([tmp_path / "after"])
    png, line = _report_picture.picture(alone, count=8)
    assert png is None and "no protect run" in line


def test_picture_opens_no_file_outside_a_run(tmp_path, seen):
    protect = protect_run(tmp_path)
    image(tmp_path / "secret.png", 0, 1)
    records = [{"index": 0, "label": 0, "file": "../secret.png"}]
    (protect / "records.jsonl").write_text(json.dumps(records[0]) + "\n")
    _report_picture.picture(read_runs([protect]), count=8)
    ((rows, titles),) = seen
    assert titles == ["original"]


def run_main(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "launch.report", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_main_writes_three_files_that_agree(tmp_path):
    protect = protect_run(tmp_path)
    evaluate_run(tmp_path, "after", f"folder:{protect}", 0.5)
    out = tmp_path / "report"
    done = run_main(f"--runs={protect},{tmp_path / 'after'}", f"--out={out}")
    assert done.returncode == 0, done.stderr
    text = (out / "report.md").read_text()
    assert "| after | evaluate |" in text and "(picture.png)" in text
    assert "| after | evaluate |" in done.stdout
    rows = list(csv.DictReader((out / "report.csv").read_text().splitlines()))
    assert rows[1]["robust_accuracy"] == "0.5" and rows[1]["attack:fgsm"] == "0.9"
    assert rows[0]["finished"] == "True"
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")
    files = sorted(path.name for path in out.iterdir())
    assert files == [
        "picture.png",
        "report.csv",
        "report.md",
    ]


def test_the_main_refuses_a_missing_run_and_writes_nothing(tmp_path):
    done = run_main(f"--runs={tmp_path / 'absent'}", f"--out={tmp_path / 'report'}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "report").exists()


def sweep_run(root, eps, robust, reliable=True, **flags):
    """An evaluation in stages, as one of several radii."""
    check = {"name": "black box", "passed": reliable, "measured": "3 of 20 images",
             "threshold": "at most 1 %", "advice": "attack adaptively"}  # fmt: skip
    summary = {
        "images": 20, "clean_accuracy": 0.9, "clean_interval": [0.8, 0.95],
        "robust_accuracy": robust, "robust_interval": [0.0, 0.9],
        "attacks": {"apgd-ce": 0.75, "square": robust}, "attacks_each_alone": False,
        "reliable": reliable, "reliability": [check],
        "warnings": [] if reliable else ["unreliable: black box: 3 of 20 images; ..."],
    }  # fmt: skip
    flags = {"source": "digits:test", "target": "nets/a", "eps": eps, "norm": "linf",
             "attack": "autoattack", **flags}  # fmt: skip
    records = [{"index": i, "attacks": {}} for i in range(20)]
    return write_run(root / f"at {eps}".replace("/", "_"), "evaluate", flags, records,
                     summary)  # fmt: skip


def test_a_sweep_gives_a_curve_and_its_own_folder_is_no_run(tmp_path):
    write_run(tmp_path, "evaluate-sweep", {}, [])
    sweep_run(tmp_path, "8/255", 0.25, reliable=False)
    sweep_run(tmp_path, "2/255", 0.5)
    read = read_runs([str(tmp_path)])
    assert sorted(run.name for run in read) == ["at 2_255", "at 8_255"]
    png, line = _report_curves.curves(read)
    assert png.startswith(b"\x89PNG") and "against eps" in line
    # Another source is another line, and a line needs two points.
    other = sweep_run(tmp_path / "x", "8/255", 0.2, source="digits:train")
    read += read_runs([str(other)])
    assert [len(c.points) for c in _report_curves.lines(read)] == [3]
    assert _report_curves.curves(read[:1])[0] is None


def test_a_masked_gradient_spoils_the_claim_and_not_the_minimum(tmp_path):
    path = sweep_run(tmp_path, "8/255", 0.25, reliable=False, defense="gcm")
    summary = json.loads((path / "summary.json").read_text())
    summary |= {"claimed_accuracy": 0.75, "claimed_interval": [0.5, 0.9]}

    def told(attacks, check):
        summary["attacks"], summary["reliability"][0]["name"] = attacks, check
        (path / "summary.json").write_text(json.dumps(summary))
        (row,), _ = table(read_runs([str(tmp_path)]))
        columns = ("robust % (worst case)", "claimed %")
        return ["UNRELIABLE" in row[column] for column in columns]

    adapted = {"pgd": 0.75, "bpda:pgd": 0.25}
    assert told(adapted, "sign coherence") == [False, True]
    assert told(adapted, "batch mates") == [True, True]
    assert told({"pgd": 0.75, "static:pgd": 0.25}, "sign coherence") == [True, True]


def test_a_failed_check_marks_the_number(tmp_path):
    sweep_run(tmp_path, "8/255", 0.25, reliable=False)
    (told,), columns = table(read_runs([str(tmp_path)]))
    assert told["robust % (worst case)"] == "25.0 (0.0 to 90.0) UNRELIABLE"
    assert told["after apgd-ce %"] == "75.0" and "after square %" in columns
    assert told["warnings"] == "unreliable: black box"
    section = _report_checks.checks_section(read_runs([str(tmp_path)]))
    assert "**Unreliable**: black box failed" in section
    for word in ("FAILED", "3 of 20 images", "at most 1 %", "attack adaptively"):
        assert word in section


def test_a_passed_check_needs_no_advice(tmp_path):
    sweep_run(tmp_path, "8/255", 0.25)
    (told,), _ = table(read_runs([str(tmp_path)]))
    assert "UNRELIABLE" not in told["robust % (worst case)"]
    section = _report_checks.checks_section(read_runs([str(tmp_path)]))
    assert "No check failed" in section and "attack adaptively" not in section
