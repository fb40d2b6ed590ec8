"""Certifications in a report, from run folders written here by hand."""

import csv
import json
import pathlib
import subprocess
import sys

import pytest

from launch import _report_best, _report_certified, _report_rows
from mspd_jax import evaluate
from mspd_jax.errors import InputError
from mspd_jax.runs import read_runs
from mspd_jax.smoothing import wrong_certificates

ROOT = pathlib.Path(__file__).resolve().parents[2]


def certificates(radii, wrong=0):
    """Records of radii (0 = abstained); the first `wrong` of them of a wrong class."""
    return [
        {
            "index": 20 * i,
            "label": 3,
            "prediction": -1 if r == 0 else 5 if i < wrong else 3,
            "radius": r,
            "correct": r > 0 and i >= wrong,
            "selection": [0, 100],
            "estimation": [0, 1000],
            "drawn": 1000 if r else 50,
        }
        for i, r in enumerate(radii)
    ]


def certify_run(path, radii, *, sigma, wrong=0, finished=True, models=None, **flags):
    flags = {
        "method": "smoothing", "target": "nets/small/model", "denoiser": None,
        "sigma": sigma, "samples": 1000, "selection": 100, "alpha": 0.001,
        "early_stop": "exact", "radius": None, "query": None, "source": "digits:test",
        "seed": 0, **flags,
    }  # fmt: skip
    records = certificates(radii, wrong)
    path.mkdir(parents=True)
    info = {"job": "certify", "flags": flags, "models": models or {"target": "ab"}}
    (path / "run.json").write_text(json.dumps(info))
    lines = [json.dumps(record) + "\n" for record in records]
    (path / "records.jsonl").write_text("".join(lines))
    if finished:
        # As the frame of jobs completes it.
        summary = {"images": len(records), "seconds": 6.0, "images_computed": 3,
                   "images_per_second": 0.5} | (
            evaluate.certified_totals(records, alpha=flags["alpha"]) if records else {}
        ) | {"warnings": []}  # fmt: skip
        (path / "summary.json").write_text(json.dumps(summary))
    return path


# Of three images, at 0.25: 2, 2, 1; at 0.5: 0, 2, 1; at 1.0: 0, 0, 1. Cut: 66.6.
NARROW = {"sigma": 0.12, "radii": (0.3, 0.4, 0.1)}
MIDDLE = {"sigma": 0.25, "radii": (0.6, 0.7, 0.0)}
WIDE = {"sigma": 0.5, "radii": (1.2, 1.3, 0.0), "wrong": 1}


def section_of(*paths):
    runs = read_runs([str(path) for path in paths])
    return _report_certified.certified_section(runs, _report_rows.raw_rows(runs))


def table_of(section):
    """The rows of the section's table, as dicts of text."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = (
        [c.strip() for c in line.strip("|").split(" | ")] for line in lines
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_a_row_says_what_was_certified_cut(tmp_path):
    section, png = section_of(certify_run(tmp_path / "one", **MIDDLE))
    (row,) = table_of(section)
    assert row == {
        "run": "one", "method": "smoothing", "model": "small", "denoiser": "–",
        "sigma": "0.25", "n": "1000", "images": "3", "certified %": "66.6",
        "0.25": "66.6", "0.5": "66.6", "0.75": "0.0", "1.0": "0.0", "1.25": "0.0",
        "1.5": "0.0", "abstained %": "33.3", "samples drawn": "683",
        "seconds / image": "2",
    }  # fmt: skip
    assert png.startswith(b"\x89PNG") and "(certified.png)" in section
    assert "best over sigma" not in section and "stopped" not in section


def test_a_wrong_class_is_not_certified(tmp_path):
    (row,) = table_of(section_of(certify_run(tmp_path / "one", **WIDE))[0])
    assert (row["certified %"], row["1.0"], row["abstained %"]) == ("33.3",) * 3


def test_best_over_sigma_is_the_maximum_at_each_radius(tmp_path):
    paths = [certify_run(tmp_path / f"s{s['sigma']}", **s)
             for s in (NARROW, MIDDLE, WIDE)]  # fmt: skip
    other = certify_run(tmp_path / "other", (9.0, 9.0, 9.0), sigma=1.0, samples=500)
    section, _ = section_of(*paths, other)
    rows = table_of(section)
    assert [row["run"] for row in rows] == [
        "s0.12", "s0.25", "s0.5", "best over sigma, chosen afterwards", "other"
    ]  # fmt: skip
    best = rows[3]
    assert best["sigma"] == "0.12 / 0.25 / 0.5" and best["model"] == "small"
    told = [best[name] for name in ("certified %", "0.25", "0.5", "1.0", "1.5")]
    assert told == ["100.0", "66.6", "66.6", "33.3", "0.0"]
    assert best["abstained %"] == best["samples drawn"] == "–"
    # Union over 3 runs of 3 images at alpha .001, and a third of .001 for each run.
    (line,) = [x for x in section.splitlines() if x.startswith("- best over sigma")]
    assert "best of s0.12, s0.25, s0.5, chosen after the results were seen" in line
    assert "3 x 3 certificates none is wrong with probability at least 99.1 %" in line
    wrong = wrong_certificates(3, alpha=0.001, confidence=1 - 0.001 / 3)
    assert f"at most {wrong} in each run" in line


def test_the_union_over_runs_is_not_that_of_one(tmp_path):
    # 350 images: of one run at most 6 are wrong; to be as sure of two, 7 in each.
    radii = (0.5,) * 350
    one = certify_run(tmp_path / "a", radii, sigma=0.25, alpha=0.004)
    two = certify_run(tmp_path / "b", radii, sigma=0.5, alpha=0.004)
    section, _ = section_of(one, two)
    single = wrong_certificates(350, alpha=0.004, confidence=0.999)
    both = wrong_certificates(350, alpha=0.004, confidence=0.9995)
    assert (single, both) == (6, 7)
    assert f"at most {single} are wrong with" in section
    assert f"at most {both} in each run" in section
    # 350 * .004 > 1: the union bound says nothing, and so does the report.
    assert "none is wrong" not in section


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ({}, {}, True),
        ({}, {"seed": 1}, False),
        ({}, {"source": "digits:train"}, False),
        ({}, {"target": "nets/large/model"}, False),
        ({}, {"models": {"target": "cd"}}, False),  # trained again in the same place
        ({"denoiser": "d/mse_0.25/model"}, {"denoiser": "d/mse_0.5/model"}, True),
        ({"denoiser": "d/mse025"}, {"denoiser": "d/mse050"}, True),
        ({"denoiser": "d/mse_.25"}, {"denoiser": "d/mse_.5"}, True),
        ({"denoiser": "d/mse_0.25"}, {"denoiser": "d/stab_0.5"}, False),
        ({"denoiser": "d/mse_0.255"}, {"denoiser": "d/mse_0.55"}, False),
        ({"denoiser": "d/v10.25"}, {"denoiser": "d/v10.5"}, False),
        ({"denoiser": "d/mse_0.25"}, {}, False),
    ],
)
def test_runs_that_differ_in_sigma_alone(tmp_path, one, other, together):
    certify_run(tmp_path / "one", (0.5, 0.4), sigma=0.25, **one)
    certify_run(tmp_path / "other", (0.5, 0.6), sigma=0.5, **other)
    runs = read_runs([str(tmp_path)])
    rows = _report_rows.raw_rows(runs)
    found = _report_best.best_over_sigma(list(zip(runs, rows, strict=True)))
    assert len(found) == together


def test_other_images_and_the_same_sigma_are_no_group(tmp_path):
    certify_run(tmp_path / "one", (0.5, 0.4), sigma=0.25)
    certify_run(tmp_path / "fewer", (0.5,), sigma=0.5)
    certify_run(tmp_path / "again", (0.5, 0.4), sigma=0.25)
    assert "best over sigma" not in section_of(tmp_path)[0]


def test_a_line_for_each_alpha(tmp_path):
    certify_run(tmp_path / "a", (0.5,) * 200, sigma=0.25)
    certify_run(tmp_path / "b", (0.5,) * 3, sigma=0.25)
    certify_run(tmp_path / "c", (0.5,) * 200, sigma=0.25, alpha=0.1)
    certify_run(tmp_path / "d", (0.5,) * 3, sigma=0.25, alpha=0.00015)
    section, _ = section_of(tmp_path)
    finest, fine, coarse = [x for x in section.splitlines() if x.startswith("- alpha")]
    # 1 - 3 * .00015 is 99.955 %, cut.
    assert "none is wrong with probability at least 99.9 %" in finest
    assert fine == (
        "- alpha = 0.001: each certificate is wrong with probability at most 0.001 "
        "over the noise; among the 3 of a run none is wrong with probability at least "
        "99.7 %, and at most 1 is wrong with confidence 99.9 %; among the 200 of a run "
        "none is wrong with probability at least 80.0 %, and at most 3 are wrong with "
        "confidence 99.9 %."
    )
    wrong = wrong_certificates(200, alpha=0.1, confidence=0.999)
    assert coarse.startswith("- alpha = 0.1") and "none is wrong" not in coarse
    assert f"at most {wrong} are wrong" in coarse


def test_runs_that_stop_early_say_what_they_left_out(tmp_path):
    for name in ("fast", "faster"):
        certify_run(tmp_path / name, (0.5,), sigma=0.25, early_stop="fast")
    certify_run(tmp_path / "asked", (0.5,), sigma=0.25, radius=0.5)
    certify_run(tmp_path / "full", (0.5,), sigma=0.25, early_stop="none")
    section, _ = section_of(tmp_path)
    assert "- fast, faster: stopped fast: images whose chosen class was" in section
    assert "- asked: asked only about radius 0.5," in section
    assert section.count("were not estimated") == section.count("asked only") == 1
    assert "full:" not in section and "full," not in section


def test_unfinished_empty_and_unlabelled_runs_have_no_numbers(tmp_path):
    certify_run(tmp_path / "cut", (0.5, 0.6), sigma=0.25, finished=False)
    certify_run(tmp_path / "none", (), sigma=0.5)
    path = certify_run(tmp_path / "photos", (0.5, 0.0), sigma=1.0)
    (path / "summary.json").write_text('{"images": 2, "warnings": ["no labels"]}')
    section, png = section_of(tmp_path)
    rows = table_of(section)
    assert [row["run"] for row in rows] == ["cut (unfinished)", "none", "photos"]
    assert {row["certified %"] for row in rows} == {"–"}
    assert png is None and "certified.png" not in section and "alpha" not in section


def test_without_certifications_there_is_no_section(tmp_path):
    (tmp_path / "run.json").write_text('{"job": "evaluate", "flags": {}}')
    assert section_of(tmp_path) == ("", None)


@pytest.mark.parametrize("bad", [{"alpha": None}, {"alpha": 1.0}, {"sigma": "wide"}])
def test_a_folder_without_its_noise_is_refused(tmp_path, bad):
    path = certify_run(tmp_path / "one", (0.5,), sigma=0.25)
    info = json.loads((path / "run.json").read_text())
    info["flags"] |= bad
    (path / "run.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=f"run.json holds no {next(iter(bad))} of a"):
        section_of(path)


def test_records_of_something_else_are_refused(tmp_path):
    path = certify_run(tmp_path / "one", (0.5,), sigma=0.25)
    (path / "records.jsonl").write_text('{"index": 7, "label": 1}\n')
    with pytest.raises(InputError, match="hold no certificate of image 7"):
        section_of(path)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("https://user:secret@api.example.org/v1?token=secret", "api.example.org"),
        ("python:package.module:function", "package.module:function"),
        ("command:/opt/bin/classify --token secret", "classify"),
        ("command:", "command"),
    ],
)
def test_a_classifier_that_is_asked_is_named_without_secrets(tmp_path, query, name):
    path = certify_run(tmp_path / "one", (0.5,), sigma=0.25, target=None, query=query)
    section, _ = section_of(path)
    assert table_of(section)[0]["model"] == name and "secret" not in section


def test_lines_of_the_plot_are_told_apart(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        evaluate, "certified_plot", lambda curves, label: seen.append(curves) or b"png"
    )
    certify_run(tmp_path / "a", (0.5, 0.4), sigma=0.25)
    certify_run(tmp_path / "b", (0.5, 0.4), sigma=0.5)
    section_of(tmp_path)
    certify_run(tmp_path / "c", (0.5, 0.4), sigma=0.5, denoiser="d/mse/model")
    section_of(tmp_path)
    certify_run(tmp_path / "d", (0.5, 0.4), sigma=0.5, seed=1)
    section_of(tmp_path)
    assert [[curve.name for curve in curves] for curves in seen] == [
        ["sigma 0.25", "sigma 0.5"],
        ["no denoiser, sigma 0.25", "no denoiser, sigma 0.5", "mse, sigma 0.5"],
        ["a", "b", "c", "d"],  # nothing else tells all of them apart
    ]


def test_the_main_writes_table_plot_and_csv_that_agree(tmp_path):
    runs = tmp_path / "runs"
    certify_run(runs / "a", **MIDDLE)
    certify_run(runs / "b", **WIDE)
    (runs / "c").mkdir()
    (runs / "c" / "run.json").write_text('{"job": "evaluate", "flags": {"eps": "1"}}')
    out = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-m", "launch.report", f"--runs={runs}", f"--out={out}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
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
