"""The section of a report on certificates under noise."""

import json

import pytest

from mspd_jax.errors import InputError
from tests.report.folders import MIDDLE, WIDE, certify_run, section_of, table_of


def test_a_row_says_what_was_certified_cut(tmp_path):
    section, png = section_of(certify_run(tmp_path / "one", **MIDDLE))
    (row,) = table_of(section)
    assert row == {
        "run": "one",
        "method": "smoothing",
        "model": "small",
        "denoiser": "–",
        "sigma": "0.25",
        "n": "1000",
        "images": "3",
        "certified %": "66.6",
        "0.25": "66.6",
        "0.5": "66.6",
        "0.75": "0.0",
        "1.0": "0.0",
        "1.25": "0.0",
        "1.5": "0.0",
        "abstained %": "33.3",
        "samples drawn": "683",
        "seconds / image": "2",
    }
    assert png.startswith(b"\x89PNG") and "(certified.png)" in section
    assert "best over sigma" not in section and "stopped" not in section


def test_a_wrong_class_is_not_certified(tmp_path):
    (row,) = table_of(section_of(certify_run(tmp_path / "one", **WIDE))[0])
    assert (row["certified %"], row["1.0"], row["abstained %"]) == ("33.3",) * 3


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


def test_unfinished_empty_and_unlabeled_runs_have_no_numbers(tmp_path):
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
    (tmp_path / "run.json").write_text('{"job": "evaluate", "fields": {}}')
    assert section_of(tmp_path) == ("", None)


@pytest.mark.parametrize("bad", [{"alpha": None}, {"alpha": 1.0}, {"sigma": "wide"}])
def test_a_folder_without_its_noise_is_refused(tmp_path, bad):
    path = certify_run(tmp_path / "one", (0.5,), sigma=0.25)
    info = json.loads((path / "run.json").read_text())
    info["fields"] |= bad
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
def test_a_classifier_behind_queries_is_named_without_secrets(tmp_path, query, name):
    path = certify_run(tmp_path / "one", (0.5,), sigma=0.25, target=None, query=query)
    section, _ = section_of(path)
    assert table_of(section)[0]["model"] == name and "secret" not in section


def test_lines_of_the_plot_have_names_of_their_own(tmp_path, monkeypatch):
    seen = []
    where = "mspd_jax.report._certificates.certified_plot"
    monkeypatch.setattr(where, lambda curves, label: seen.append(curves) or b"png")
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
        ["a", "b", "c", "d"],  # nothing else distinguishes all of them
    ]
