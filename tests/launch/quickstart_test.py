"""The whole story, made short: it runs, it resumes, its figures are in order."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from mspd_jax import data, drive, jobs
from mspd_jax.errors import InputError
from tests.launch import mains

_SHORT = ("--epochs=3", "--bilevel_images=2", "--batch_size=225")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    out = tmp_path_factory.mktemp("story") / "out"
    code, text, err = mains.run("quickstart", f"--out={out}", *_SHORT)
    assert code == 0, err
    return out, text, err


def _row(out, title, n):
    with open(out / "report.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["images"] == title]
    (row,) = [r for r in rows if r["n"] == str(n)]
    return {k: [float(x) for x in v.split(" / ")] for k, v in row.items() if "/" in v}


def test_several_processes_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(drive, "in_cluster", lambda: True)
    with pytest.raises(InputError, match="by one process; .* without `coordinator`"):
        jobs.Quickstart().run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_protection_raises_robust_accuracy_on_unseen_models(story):
    out, text, _ = story
    before, after = _row(out, "unprotected", 450), _row(out, "MSPD", 450)
    for target in ("target A", "target B"):
        assert after[target][1] > before[target][1] + 5, text
    assert _row(out, "MSPD, reverted", 450)["surrogate"][1] < after["surrogate"][1]
    assert "bi-level" in text and (out / "report.md").exists()
    assert np.asarray(Image.open(out / "picture.png")).ndim == 3


@pytest.mark.slow
def test_protected_files_lie_in_the_ball(story):
    out, *_ = story
    original = data.open_source("digits:test")
    protected = data.open_source(f"folder:{out}/mspd")
    assert len(protected.indices) == 450
    for position in range(0, 450, 30):
        change = protected.read(position).image - original.read(position).image
        assert 0.05 < np.abs(change).max() <= 0.15 + 1e-6


@pytest.mark.slow
def test_the_same_command_again_changes_nothing(story):
    out, _, err = story
    report = (out / "report.csv").read_bytes()
    code, _, again = mains.run("quickstart", f"--out={out}", *_SHORT)
    assert code == 0, again
    assert (out / "report.csv").read_bytes() == report
    assert "training" in err and "training" not in again


@pytest.mark.slow
def test_other_settings_are_refused(story):
    out, *_ = story
    code, _, err = mains.run("quickstart", f"--out={out}", "--eps=0.1")
    assert code == 2
    assert "was trained otherwise" in err


@pytest.mark.slow
def test_one_line_shows_the_progress_of_all_steps(story):
    _, _, err = story
    # A state of the line each: carriage returns are read as ends of lines.
    states = [state.strip() for state in err.splitlines() if state.strip()]
    found = [re.fullmatch(r"(.+): +(\d+)%\|.*\| \d+:\d+<[\d:?]+", s) for s in states]
    assert all(found), [s for s, match in zip(states, found, strict=True) if not match]
    steps = {match[1] for match in found}
    assert {"training surrogate", "writing MSPD", "attacking target B on MSPD"} < steps
    shares = [int(match[2]) for match in found]
    assert shares == sorted(shares) and shares[-1] == 100
