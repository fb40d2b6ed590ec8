"""Run folders as the mains leave them, written by hand."""

import json

import numpy as np

from mspd_jax import data, evaluate
from mspd_jax.report._certificates import certified_section
from mspd_jax.runs import read_runs


def write_run(path, job, fields, records, summary=None, **info):
    path.mkdir(parents=True, exist_ok=True)
    info = {"job": job, "fields": fields, "models": {"target": "ab"}, **info}
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
    fields = {
        "source": "digits:test",
        "surrogate": "nets/robust/model",
        "eps": "8/255",
        "norm": "linf",
        "data_dir": None,
    }
    write_run(path, "protect", fields, records, summary if finished else None)
    return path


def evaluate_run(root, name, source, robust, saved=True, shift=0):
    path = root / name
    attacks = {"fgsm": 0.9, "pgd-20": robust}
    records = []
    for index in (0, 4, 8):
        outcomes = {
            attack: {"found": index == 4, "prediction": 3, "finite": True}
            for attack in attacks
        }
        record = {"index": index, "label": index, "correct": True}
        record["prediction"] = index + shift
        if saved:
            for attack, outcome in outcomes.items():
                outcome["file"] = f"adversarial/{attack}/{index:05d}_{index}.png"
        records.append({**record, "attacks": outcomes})
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
    fields = {
        "source": source,
        "target": "nets/other",
        "eps": "8/255",
        "norm": "linf",
        "data_dir": None,
    }
    write_run(path, "evaluate", fields, records, summary)
    for record in records if saved else []:
        for outcome in record["attacks"].values():
            image(path / outcome["file"], record["index"], 200)
    return path


def sweep_run(root, eps, robust, reliable=True, **fields):
    """An evaluation in stages, as one of several radii."""
    check = {
        "name": "black box",
        "passed": reliable,
        "measured": "3 of 20 images",
        "threshold": "at most 1 %",
        "advice": "attack adaptively",
    }
    summary = {
        "images": 20,
        "clean_accuracy": 0.9,
        "clean_interval": [0.8, 0.95],
        "robust_accuracy": robust,
        "robust_interval": [0.0, 0.9],
        "attacks": {"apgd-ce": 0.75, "square": robust},
        "attacks_each_alone": False,
        "reliable": reliable,
        "reliability": [check],
        "warnings": [] if reliable else ["unreliable: black box: 3 of 20 images; ..."],
    }
    fields = {
        "source": "digits:test",
        "target": "nets/a",
        "eps": eps,
        "norm": "linf",
        "attack": "autoattack",
        **fields,
    }
    records = [{"index": i, "attacks": {}} for i in range(20)]
    return write_run(
        root / f"at {eps}".replace("/", "_"), "evaluate", fields, records, summary
    )


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


def certify_run(path, radii, *, sigma, wrong=0, finished=True, models=None, **fields):
    fields = {
        "method": "smoothing",
        "target": "nets/small/model",
        "denoiser": None,
        "sigma": sigma,
        "samples": 1000,
        "selection": 100,
        "alpha": 0.001,
        "early_stop": "exact",
        "radius": None,
        "query": None,
        "source": "digits:test",
        "seed": 0,
        **fields,
    }
    records = certificates(radii, wrong)
    path.mkdir(parents=True)
    info = {"job": "certify", "fields": fields, "models": models or {"target": "ab"}}
    (path / "run.json").write_text(json.dumps(info))
    lines = [json.dumps(record) + "\n" for record in records]
    (path / "records.jsonl").write_text("".join(lines))
    if finished:
        # As the frame of jobs completes it.
        summary = (
            {
                "images": len(records),
                "seconds": 6.0,
                "images_computed": 3,
                "images_per_second": 0.5,
            }
            | (
                evaluate.certified_totals(records, alpha=fields["alpha"])
                if records
                else {}
            )
            | {"warnings": []}
        )
        (path / "summary.json").write_text(json.dumps(summary))
    return path


def patches_run(path, windows, certified, *, finished=True, undetected=None, **fields):
    """A certification against patches of 2 pixels: of 3 images `certified` are."""
    fields = {
        "method": "scalecert",
        "target": "nets/small/model",
        "patch": "2",
        "windows": windows,
        "cut": "stem",
        "keep": 0.05,
        "confidence": 0.0,
        "source": "digits:test",
        **fields,
    }
    summary = {
        "images": 3,
        "images_per_second": 100.0,
        "patch": 2,
        "windows": windows**2,
        "certified_accuracy": certified / 3,
        "certified_interval": [0.06, 0.79],
        "clean_accuracy": 2 / 3,
        "clean_interval": [0.2, 0.94],
        "unguarded_accuracy": 1.0,
        "alert_rate": 1 / 3,
        "mean_predictions": 10.0 * windows,
        # Under attack an alert counts as right, as in no other job.
        "robust_accuracy": 0.5,
        "attacks": {"pgd": 0.5} if undetected else {},
        "undetected": undetected or {},
    }
    records = [{"index": i, "label": 0} for i in range(3)]
    return write_run(path, "certify", fields, records, summary if finished else None)


# Of three images, at 0.25: 2, 2, 1; at 0.5: 0, 2, 1; at 1.0: 0, 0, 1. Cut: 66.6.
NARROW = {"sigma": 0.12, "radii": (0.3, 0.4, 0.1)}
MIDDLE = {"sigma": 0.25, "radii": (0.6, 0.7, 0.0)}
WIDE = {"sigma": 0.5, "radii": (1.2, 1.3, 0.0), "wrong": 1}


def section_of(*paths):
    """Text and plot of the section on certificates."""
    found = certified_section(read_runs([str(path) for path in paths]))
    return found.text, found.pictures.get("certified.png")


def table_of(section):
    """The rows of the section's table, as dicts of text."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = (
        [c.strip() for c in line.strip("|").split(" | ")] for line in lines
    )
    return [dict(zip(head, row, strict=True)) for row in rows]
