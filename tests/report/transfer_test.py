"""What a report says of the gain that a protection brings to each model."""

import csv
import json
import math
import shutil

import numpy as np
import pytest

from mspd_jax import report
from mspd_jax.report._transfer import gains, together, transfer_cells
from mspd_jax.report._transfer_table import transfer_csv, transfer_section
from mspd_jax.runs import read_runs
from tests.report.folders import certify_run, patches_run, table_of, write_run

LABELS_RIGHT = (True, True, True, False)


def evaluated(root, name, source, verdicts, *, digest, **fields):
    """An evaluation; verdicts: "r" right and robust, "f" falls, "-" wrong."""
    records = [
        {
            "index": index,
            "label": 1,
            "correct": verdict != "-",
            "attacks": {"fgsm": {"found": False}, "pgd": {"found": verdict == "f"}},
        }
        for index, verdict in enumerate(verdicts)
    ]
    fields = {"source": source, "attack": "fgsm,pgd", "eps": "8/255", **fields}
    fields = {"norm": "linf", "target": f"nets/{digest}", "seed": 0, **fields}
    summary = {"images": len(records), "attacks": {}}
    info = {"models": {"target": digest}}
    return write_run(root / name, "evaluate", fields, records, summary, **info)


def made(root, name, job, source, digest, **fields):
    """A protection, or a reversion of one."""
    records = [
        {"index": index, "label": 1, "used_label": int(right)}
        for index, right in enumerate(LABELS_RIGHT)
    ]
    info = {"models": {"surrogate": digest, "labeler": "labels"}}
    return write_run(
        root / name, job, {"source": source, **fields}, records, {}, **info
    )


@pytest.fixture
def runs(tmp_path):
    """Three models before and after: the surrogate, and two that did not guide."""
    protect = made(tmp_path, "shield", "protect", "digits:test", "guide")
    after = f"folder:{protect}"
    for digest, before, protected in (
        ("guide", "fff-", "rrrr"),
        ("a", "ff--", "rf-f"),
        ("b", "rf--", "rr--"),
    ):
        evaluated(tmp_path, f"{digest}0", "digits:test", before, digest=digest)
        evaluated(tmp_path, f"{digest}1", after, protected, digest=digest)
    return tmp_path


def cells_of(path):
    return transfer_cells(read_runs([str(path)]), [path])


def cells(path):
    return {(c.images, c.target): c for c in cells_of(path)}


def gain(cell, what="robust"):
    return gains(together([cell]), what)[0]


def text_of(path):
    return transfer_section(cells_of(path)).text


def tables(path):
    """The tables of the only attack: over the models, and of each."""
    over, each = text_of(path).split("\n| images | model |")
    return table_of(over), table_of("| images | model |" + each)


def test_gains_are_paired_by_image_and_mean_over_models_that_did_not_guide(runs):
    found = cells(runs)
    assert [found["shield", name].guided for name in ("guide", "a", "b")] == [1, 0, 0]
    np.testing.assert_array_equal(gain(found["shield", "a"]), [1, 0, 0, 0])
    np.testing.assert_array_equal(gain(found["shield", "a"], "clean"), [0, 0, 0, 1])
    (row,), _ = tables(runs)
    # Robust: a 0 to 1 of 4, b 1 to 2. Over both models the images gain .5, .5, 0, 0.
    assert row["models"] == "2" and row["n"] == "4"
    assert row["robust"] == "12.5 to 37.5" and row["clean"] == "50.0 to 62.5"
    half = 1.96 * np.std([0.5, 0.5, 0, 0], ddof=1) / math.sqrt(4)
    assert row["gain, robust"] == f"+25.0 +- {100 * half:.1f}"
    # The label was wrong for the last image, on which neither model gained.
    assert row["label right"] == "+33.3" and row["label wrong"] == "+0.0"
    assert row["least"] == "+25.0 (a)"


def test_each_model_has_its_row_and_the_guide_is_marked(runs):
    rows = {row["model"]: row for row in tables(runs)[1]}
    assert rows["guide (guided)"]["clean"] == "75.0 to 100.0"
    assert rows["guide (guided)"]["robust"] == "0.0 to 100.0"
    assert rows["a"]["clean"] == "50.0 to 75.0" and rows["a"]["n"] == "4"


def test_evaluations_that_differ_in_more_than_images_are_not_paired(runs):
    evaluated(runs, "a0", "digits:test", "ff--", digest="a", seed=1)
    assert ("shield", "a") not in cells(runs)
    evaluated(runs, "a0", "digits:test", "ff--", digest="a", limit=2)
    assert ("shield", "a") in cells(runs)  # some of the images are images, too


def test_images_that_one_of_both_did_not_see_are_left_out(runs):
    evaluated(runs, "a0", "digits:test", "ff", digest="a")
    assert list(cells(runs)["shield", "a"].indices) == [0, 1]
    # A mean over models is of the images that all of them were shown.
    (row,), _ = tables(runs)
    assert row["models"] == "2" and row["n"] == "2"
    assert row["clean"] == "100.0 to 100.0" and row["robust"] == "25.0 to 75.0"


def test_of_several_evaluations_of_the_originals_the_larger_counts(runs):
    evaluated(runs, "a-few", "digits:test", "r", digest="a")
    np.testing.assert_array_equal(gain(cells(runs)["shield", "a"]), [1, 0, 0, 0])


def test_what_was_evaluated_twice_counts_once(runs):
    evaluated(runs, "a2", f"folder:{runs / 'shield'}", "rf-f", digest="a")
    (row,), each = tables(runs)
    assert row["models"] == "2" and len(each) == 3


def test_settings_that_differ_are_named(runs):
    for name, source in (("4", "digits:test"), ("5", f"folder:{runs / 'shield'}")):
        evaluated(runs, f"a{name}", source, "rrrr", digest="a", seed=7)
    found = {c.how: c for c in transfer_cells(read_runs([str(runs)]), [runs])}
    assert set(found) == {f"fgsm,pgd, linf 8/255, seed {n}" for n in (0, 7)}


def test_images_are_called_by_their_path_below_the_report(runs, tmp_path_factory):
    """So that reports on the same runs elsewhere, or on some of them, agree."""
    lines = transfer_csv(cells_of(runs))
    assert {line.split(",")[3] for line in lines.splitlines()[1:]} == {"shield"}
    few = transfer_csv(cells_of(runs), limit=1)
    assert {line.split(",")[6] for line in few.splitlines()[1:]} == {"1"}
    deep = tmp_path_factory.mktemp("a") / "b" / "c"
    shutil.move(runs, deep)
    assert transfer_csv(cells_of(deep)) == lines


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("guide", "reverted with the surrogate"),
        ("a", "reverted with the target itself"),
        ("c", "reverted with c"),
    ],
)
@pytest.mark.parametrize("rounds", [1, 10])
def test_reversions_are_called_by_what_the_attacker_holds(runs, held, said, rounds):
    source = f"folder:{runs / 'shield'}"
    named = {"rounds": rounds, "surrogate": f"nets/{held}"}
    back = made(runs, "back", "revert", source, held, **named)
    evaluated(runs, "back-on-a", f"folder:{back}", "-f--", digest="a")
    times = ", 10 rounds" if rounds == 10 else ""
    cell = cells(runs)[f"shield, {said}{times}", "a"]
    np.testing.assert_array_equal(gain(cell, "clean"), [-1, 0, 0, 0])


def test_folders_that_were_moved_are_still_pairs(runs, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "runs"
    shutil.move(runs, elsewhere)
    assert ("shield", "b") in cells(elsewhere)


def test_of_two_folders_of_a_name_that_were_moved_neither_is_taken(
    runs, tmp_path_factory
):
    made(runs / "other", "shield", "protect", "digits:test", "guide")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "runs"
    shutil.move(runs, elsewhere)
    assert not cells(elsewhere)


def test_a_folder_that_is_there_is_not_taken_for_another_of_its_name(
    runs, tmp_path_factory
):
    other = tmp_path_factory.mktemp("other") / "shield"
    other.mkdir()
    evaluated(runs, "a1", f"folder:{other}", "rrrr", digest="a")
    assert ("shield", "a") not in cells(runs)


def test_certificates_are_pairs_by_radius(runs):
    shield = runs / "shield"
    for name, source, radii in (
        ("before", "digits:test", (0.3, 0.2, 0.0)),
        ("after", f"folder:{shield}", (0.6, 0.3, 0.1)),
    ):
        path = certify_run(runs / name, radii, sigma=0.25, source=source)
        records = [json.loads(line) for line in open(path / "records.jsonl")]
        lines = [json.dumps(r | {"index": n}) + "\n" for n, r in enumerate(records)]
        (path / "records.jsonl").write_text("".join(lines))
    found = {c.how: c for c in transfer_cells(read_runs([str(runs)]))}
    by = "smoothing, sigma 0.25, n = 1000"
    np.testing.assert_array_equal(gain(found[f"certified at l2 0.25, {by}"]), [0, 1, 0])
    cell = found[f"certified at l2 0.5, {by}"]
    np.testing.assert_array_equal(gain(cell), [1, 0, 0])
    np.testing.assert_array_equal(gain(cell, "clean"), [0, 0, 1])
    assert "| gain, certified |" in text_of(runs)


def test_certificates_against_patches_are_pairs(runs):
    shield = runs / "shield"
    for name, source, certified in (
        ("before", "digits:test", (False, True, True)),
        ("after", f"folder:{shield}", (True, True, True)),
    ):
        path = patches_run(runs / name, 6, 1, source=source)
        lines = [
            {"index": n, "label": 0, "prediction": n // 2, "correct": n < 2}
            | {"certified": found}
            for n, found in enumerate(certified)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (path / "records.jsonl").write_text(text)
    cells = transfer_cells(read_runs([str(runs)]))
    (cell,) = [c for c in cells if c.how.startswith("certified")]
    assert cell.how.startswith("certified against 2 x 2 patches, scalecert, 6 windows")
    np.testing.assert_array_equal(cell.verdicts[:, 1], [0, 1, 0])  # the last is wrong
    np.testing.assert_array_equal(gain(cell), [1, 0, 0])


def test_a_report_has_the_section_and_its_lines(runs, tmp_path):
    out = tmp_path / "report"
    report.write_report([runs], out, images=0)
    assert "## What protection gains" in (out / "report.md").read_text()
    with (out / "transfer.csv").open(newline="") as file:
        rows = {row["target"]: row for row in csv.DictReader(file)}
    assert float(rows["b"]["gain_robust"]) == 0.25
    assert rows["guide"]["guided"] == "True" and rows["a"]["n"] == "4"


def test_without_pairs_there_is_no_section_and_no_older_file(runs, tmp_path):
    out = tmp_path / "report"
    report.write_report([runs], out, images=0)
    alone = evaluated(tmp_path / "alone", "x", "digits:test", "r", digest="a")
    report.write_report([alone], out, images=0)
    assert "What protection gains" not in (out / "report.md").read_text()
    assert not (out / "transfer.csv").exists()
    assert json.loads((alone / "run.json").read_text())["job"] == "evaluate"
