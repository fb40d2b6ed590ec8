"""Sweeps in a report: tables by what varies, a picture for each pair of fields."""

import csv
import json

from mspd_jax import report
from tests.report.folders import sweep_run, write_run


def protect(root, eps, samples, surrogate, linf=None):
    fields = {"source": "digits:test", "eps": eps, "samples": samples}
    fields |= {"surrogate": surrogate, "norm": "linf", "seed": 0}
    summary = None
    if linf is not None:
        summary = {"images": 1, "linf_mean": linf, "linf_max": linf, "l2_mean": 0.1}
        summary |= {"l2_max": 0.1, "warnings": []}
    name = f"eps_{eps}-samples_{samples}-{surrogate}".replace("/", "_")
    return write_run(root / name, "protect", fields, [{"index": 0}], summary)


def mark(root, failed=()):
    root.mkdir(parents=True, exist_ok=True)
    (root / "run.json").write_text('{"job": "sweep", "fields": {}}')
    (root / "summary.json").write_text(json.dumps({"failed": list(failed)}))


def test_a_sweep_has_a_table_and_a_picture_for_each_pair(tmp_path):
    root = tmp_path / "SWEEP"
    mark(root, [{"cell": "eps=2", "error": "too | large"}])
    for place, (eps, surrogate) in enumerate(
        (e, s) for e in ("16/255", "8/255") for s in ("x/model", "y/model")
    ):
        protect(root, eps, 4, surrogate, linf=(place + 1) / 255)
    protect(root, "8/255", 20, "y/model")
    page = report.write_report([root], tmp_path / "R")
    names = {path.name for path in page.files}
    assert {
        "sweep_protect_eps_samples.png",
        "sweep_protect_eps_surrogate.png",
        "sweep_protect_samples_surrogate.png",
        "sweep.csv",
    } <= names
    text = (tmp_path / "R" / "report.md").read_text()
    assert "## Sweep SWEEP" in text and "5 runs, 1 of them unfinished, 1 cells" in text
    assert "- eps=2: too | large" in text
    section = text.partition("## Sweep")[2].splitlines()
    rows = [line.split("|")[1:5] for line in section if line.startswith("| ")][1:]
    cells = [[word.strip() for word in row[:3]] for row in rows[1:]]
    assert cells == [  # numbers by their size
        ["8/255", "4", "x"],
        ["8/255", "4", "y"],
        ["8/255", "20", "y"],
        ["16/255", "4", "x"],
        ["16/255", "4", "y"],
    ]
    with open(tmp_path / "R" / "sweep.csv") as file:
        lines = list(csv.DictReader(file))
    assert {(r["field:eps"], r["field:samples"]) for r in lines} >= {("8/255", "20")}
    assert sorted(float(r["linf_mean"]) * 255 for r in lines if r["linf_mean"])[
        ::3
    ] == [1.0, 4.0]


def test_pictures_of_an_older_report_are_taken_away(tmp_path):
    root = tmp_path / "SWEEP"
    mark(root)
    for eps, robust in (("8/255", 0.5), ("16/255", 0.25)):
        sweep_run(root, eps, robust)
    page = report.write_report([root], tmp_path / "R")
    assert "sweep_evaluate_eps.png" in {path.name for path in page.files}
    alone = root / "at 8_255"
    page = report.write_report([alone], tmp_path / "R")
    assert not list((tmp_path / "R").glob("sweep*"))


def test_the_picture_shows_the_mean_at_each_place(tmp_path, monkeypatch):
    from mspd_jax.report import _sweep

    root, seen = tmp_path / "SWEEP", []
    mark(root)
    for eps in ("1/255", "2/255"):
        for samples in (4, 20):
            for surrogate, linf in (("x", 1 / 255), ("y", 3 / 255)):
                protect(root, eps, samples, surrogate, linf=linf)
    monkeypatch.setattr(
        _sweep, "grid_plot", lambda *a, title: seen.append((*a, title)) or b"PNG"
    )
    report.write_report([root], tmp_path / "R")
    cells, values, title = seen[0]
    assert (cells.rows, cells.columns) == (["1/255", "2/255"], ["4", "20"])
    assert all(sorted(found) == [1.0, 3.0] for found in values.values())
    assert "mean over surrogate" in title and len(seen) == 3
