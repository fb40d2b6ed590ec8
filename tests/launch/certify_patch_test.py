"""Certification against patches as a user runs it."""

import functools
import json
import os
import signal
import time

import jax
import numpy as np
import pytest

from mspd_jax import data, models, patch
from tests.launch import mains

FLAGS = ("--source=digits:test", "--limit=12", "--patch=2", "--windows=3")
SCALECERT = ("--method=scalecert", "--cut=layer0", "--keep=0.1")
MORE_BAD_INPUT = (
    (("--method=minority", "--sigma=0.1"), "--sigma"),
    (("--method=smoothing", "--sigma=0.1"), "--patch"),
    (("--method=minority", "--patch=9"), "9 x 9"),
    (("--method=minority", "--patch=small"), "--patch=small"),
    ((*SCALECERT, "--cut=stem"), "layer0, layer1"),
    ((*SCALECERT, "--keep=0"), "share of neurons"),
    (("--method=patchcleanser", "--confidence=0.5"), "--confidence"),
    (("--method=patchcleanser", "--attack=aware"), "--attack=aware"),
    (("--method=minority", "--attack=fgsm"), "--attack=fgsm"),
    (("--method=minority", "--attack_steps=9"), "--attack_steps"),
    (("--method=minority", "--attack=pgd", "--attack_sample=2"), "--attack_sample"),
    (("--method=minority", "--confidence=nan"), "--confidence=nan"),
    ((*SCALECERT, "--cut=layer1", "--windows=1"), "every window"),
)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    path = tmp_path_factory.mktemp("ground")
    mains.save_small_model(path / "model", seed=5)
    images, _ = data.load_arrays(data.open_source("digits:test", limit=3))
    np.savez(path / "unlabeled.npz", x=images)
    return path


@pytest.fixture(scope="module")
def scalecert(ground):
    return certified(ground, ground / "scalecert", *SCALECERT, devices=1)


@pytest.fixture(scope="module")
def cleansed(ground):
    return certified(ground, ground / "cleansed", "--method=patchcleanser", devices=1)


def certify(ground, out, *flags, devices=None):
    return mains.run(
        "certify",
        *FLAGS,
        f"--target={ground}/model",
        *flags,
        f"--out={out}",
        devices=devices,
    )


def certified(ground, out, *flags, devices=None):
    code, _, err = certify(ground, out, *flags, devices=devices)
    assert code == 0, err
    return out


def records(out):
    return [json.loads(line) for line in (out / "records.jsonl").open()]


def summary(out):
    return json.loads((out / "summary.json").read_text())


def test_records_are_the_library_s_verdicts(ground, scalecert):
    model = models.load_model(ground / "model")
    windows = patch.cover((8, 8, 1), patch=2, per_axis=3)
    detector = patch.scalecert(models.split(model, "layer0"), windows, keep=0.1)
    detect = jax.jit(functools.partial(patch.detect, budget=2))
    source = data.open_source("digits:test", limit=12)
    found = records(scalecert)
    assert [r["index"] for r in found] == source.indices.tolist()
    for position, record in enumerate(found):
        verdict = detect(detector, source.read(position).image)
        asked = np.flatnonzero(verdict.computed)
        assert record["prediction"] == int(verdict.label)
        assert record["alert"] == bool(verdict.alert)
        assert record["certified"] == bool(verdict.certified)
        assert record["asked"] == asked.tolist()
        assert record["votes"] == np.asarray(verdict.windows)[asked].tolist()
        assert record["predictions"] == int(verdict.predictions) > len(asked)
        right = record["prediction"] == record["label"]
        assert record["correct"] == (right and not record["alert"])


def test_summary_counts_an_alert_as_an_error(scalecert):
    found, totals = records(scalecert), summary(scalecert)
    right = [r["prediction"] == r["label"] for r in found]
    assert totals["clean_accuracy"] == np.mean([r["correct"] for r in found])
    assert totals["unguarded_accuracy"] == np.mean(right)
    assert totals["alert_rate"] == np.mean([r["alert"] for r in found])
    certified_right = [r["certified"] and w for r, w in zip(found, right, strict=True)]
    assert totals["certified_accuracy"] == np.mean(certified_right)
    assert totals["mean_predictions"] == np.mean([r["predictions"] for r in found])
    assert (totals["patch"], totals["windows"]) == (2, 9)
    assert (
        json.loads((scalecert / "run.json").read_text())["fields"]
        .keys()
        .isdisjoint({"sigma", "samples", "query"})
    )


def test_devices_and_passes_do_not_matter(ground, scalecert, tmp_path):
    other = certified(
        ground, tmp_path / "two", *SCALECERT, "--chunk=9", "--batch_size=3", devices=2
    )
    assert mains.files(other) == mains.files(scalecert)


def test_minority_reports_asks_all_windows_of_a_share(ground, tmp_path):
    flags = ("--method=minority", "--patch=6%", "--confidence=0.5")
    out = certified(ground, tmp_path / "minority", *flags)
    assert summary(out)["patch"] == 2  # 6 % of 64 pixels are 3.84
    assert all(r["asked"] == list(range(9)) for r in records(out))
    assert any(r["certified"] != (not r["alert"]) for r in records(out))


def test_patch_cleanser_recovers_without_alerts(cleansed):
    totals = summary(cleansed)
    assert totals["alert_rate"] == 0.0
    assert totals["clean_accuracy"] == totals["unguarded_accuracy"]
    for record in records(cleansed):
        unanimous = len(set(record["votes"])) == 1
        assert unanimous or not record["certified"]
        assert (record["predictions"] == 9 + 36) == unanimous


@pytest.mark.parametrize(
    ("method", "attack"),
    [
        pytest.param("minority", "pgd,aware", marks=pytest.mark.slow),
        ("patchcleanser", "pgd"),
    ],
)
def test_attacks_leave_what_is_certified(ground, tmp_path, method, attack):
    more = ("--attack_steps=5", "--attack_positions=4")
    more += ("--attack_sample=2",) if "aware" in attack else ()
    what = f"--method={method}", f"--attack={attack}"
    out = certified(ground, tmp_path / "out", *what, *more)
    totals, found = summary(out), records(out)
    assert totals["broken_certificates"] == 0
    assert totals["robust_accuracy"] >= totals["certified_accuracy"]
    for name, share in totals["undetected"].items():
        after = [r["attacks"][name] for r in found]
        missed = [
            not a["alert"] and a["prediction"] != r["label"]
            for a, r in zip(after, found, strict=True)
        ]
        assert share == np.mean(missed) <= 1 - totals["certified_accuracy"]


def test_without_labels_there_is_no_accuracy(ground, tmp_path):
    out = certified(
        ground, tmp_path / "out", *SCALECERT, f"--source=npz:{ground}/unlabeled.npz"
    )
    totals = summary(out)
    assert not [name for name in totals if "accuracy" in name or "interval" in name]
    assert 0 <= totals["alert_rate"] <= 1
    assert totals["warnings"] == ["without labels there is no accuracy"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--method=minority", "--keep=0.1"), "--keep"),
        ((*SCALECERT, "--cut=head"), "head"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_BAD_INPUT),
    ],
)
def test_bad_input_is_named_in_one_line(ground, tmp_path, flags, named):
    out = tmp_path / "out"
    code, _, err = certify(ground, out, *flags)
    assert code == 2 and named in err and err.count("\n") == 1, err
    assert not out.exists()


def test_report_says_what_is_certified_and_what_it_costs(ground, scalecert, cleansed):
    fewer = certified(ground, ground / "fewer", *SCALECERT, "--windows=2")
    out = ground / "report"
    folders = ",".join(map(str, (scalecert, cleansed, fewer)))
    code, _, err = mains.run("report", f"--runs={folders}", f"--out={out}")
    assert code == 0, err
    text = (out / "report.md").read_text()
    section = text[text.index("## Certified against patches") :]
    assert "![certified accuracy against the work](patches.png)" in section
    assert (out / "patches.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "certified.png").exists()
    row = next(line for line in section.splitlines() if line.startswith("| cleansed"))
    assert "| patchcleanser |" in row and "| – |" in row  # selects no neurons
    mean = summary(scalecert)["mean_predictions"]
    row = next(line for line in section.splitlines() if line.startswith("| scalecert"))
    assert f"| {mean:.1f} |" in row
    assert "mean_predictions" in (out / "report.csv").read_text().splitlines()[0]


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(ground, tmp_path):
    flags = ("--limit=60", "--windows=0", *SCALECERT)
    whole = certified(ground, tmp_path / "whole", *flags, devices=1)
    process = mains.start(
        "certify",
        *FLAGS,
        f"--target={ground}/model",
        *flags,
        f"--out={tmp_path}/killed",
        devices=1,
    )
    written = tmp_path / "killed" / "records.jsonl"
    while not (written.exists() and written.read_text().count("\n") > 3):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert 3 < written.read_text().count("\n") < 60
    killed = certified(ground, tmp_path / "killed", *flags, devices=1)
    assert mains.files(killed) == mains.files(whole)
