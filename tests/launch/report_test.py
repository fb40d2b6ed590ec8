"""The report main as a user runs it, on run folders written by hand."""

import csv
import subprocess
import sys

from mspd_jax import evaluate
from tests.launch import mains
from tests.report.folders import (
    MIDDLE,
    WIDE,
    certify_run,
    evaluate_run,
    protect_run,
    table_of,
)


def run_main(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "launch.report", *arguments],
        cwd=mains.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


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


def test_the_main_writes_table_plot_and_csv_that_agree(tmp_path):
    runs = tmp_path / "runs"
    certify_run(runs / "a", **MIDDLE)
    certify_run(runs / "b", **WIDE)
    (runs / "c").mkdir()
    (runs / "c" / "run.json").write_text('{"job": "evaluate", "flags": {"eps": "1"}}')
    out = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-m", "launch.report", f"--runs={runs}", f"--out={out}"],
        cwd=mains.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in out.iterdir())
    assert files == ["certified.png", "report.csv", "report.md"]
    assert (out / "certified.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "report.md").read_text()
    general, section = text.split("## Certified accuracy")
    first = table_of(general)
    assert first[0]["certified %"] == "66.6" and first[2]["certified %"] == "–"
    assert not any("robust" in name for name in first[0])
    assert table_of(section)[2]["run"].startswith("best over sigma")
    rows = list(csv.DictReader((out / "report.csv").read_text().splitlines()))
    assert [row["certified:0.5"] for row in rows] == [str(2 / 3), str(1 / 3), ""]
    assert [row["sigma"] for row in rows] == ["0.25", "0.5", ""]
    assert rows[0]["certified_accuracy"] == str(2 / 3) and rows[0]["alpha"] == "0.001"
    radii = [name for name in rows[0] if name.startswith("certified:")]
    assert radii == [f"certified:{radius}" for radius in evaluate.RADII]
