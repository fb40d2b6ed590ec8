"""The figures of the tables are those of the files beside them."""

import csv
import math
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def cut(share: str) -> str:
    """A share as the tables print it: percent, cut after one place."""
    return f"{math.floor(round(1000 * float(share), 6)) / 10:.1f}"


def measured(results: str) -> dict[str, set[tuple[str, str]]]:
    """Pairs of clean and robust accuracy in a report.csv, by model."""
    found: dict[str, set[tuple[str, str]]] = {}
    with (ROOT / results / "report.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["robust_accuracy"]:
                pair = cut(row["clean_accuracy"]), cut(row["robust_accuracy"])
                found.setdefault(row["model"], set()).add(pair)
    return found


def table(page: str, head: str) -> list[dict[str, str]]:
    """Rows of the table whose first column is called so, and holds a second one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = re.search(rf"^\| {head} \|.*\n(?:\|.*\n)+", text, re.MULTILINE)
    assert lines is not None
    names, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines[0].splitlines()
    ]
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_the_table_of_the_readme_is_that_of_cifar10():
    ours = measured("results/cifar10")
    rows = table("README.md", "images")
    assert len(rows) >= 7
    for row in rows:
        assert tuple(row["surrogate"].split(" / ")) in ours["A"], row
        assert tuple(row["unseen target"].split(" / ")) in ours["B"], row


@pytest.mark.parametrize("model", ["A", "B"])
def test_the_table_of_cifar10_is_that_of_its_runs(model):
    pairs = measured("results/cifar10")[model]
    rows = table("results/cifar10/README.md", "images")
    assert len(rows) >= 12
    for row in rows:
        assert (row[f"{model} clean"], row[f"{model} robust"]) in pairs, row


def test_the_table_of_reversions_is_that_of_its_runs():
    ours = measured("results/reversion")
    rows = table("results/reversion/README.md", "images")
    names = {"surrogate": "cifar10_resnet20_robust"}  # as `networks/fast` was called
    told = [
        (names.get(column, column), tuple(row[column].split(" / ")), row)
        for row in rows
        for column in ("surrogate", "resnet4b", "cnn_a_adv")
        if row[column] != "\u2013"
    ]
    assert len(told) >= 16
    for model, pair, row in told:
        assert pair in ours[model], row


def test_the_gains_of_the_readme_are_those_of_external_networks():
    rows = table("results/external_models/README.md", "target")
    ours = measured("results/external_models")
    gains: dict[str, list[float]] = {"clean": [], "robust 8/255": []}
    for row in rows:
        for end in ("", ", protected"):
            pair = row[f"clean{end}"], row[f"robust 8/255{end}"]
            assert pair in ours[row["target"]], row
        for kind, found in gains.items():
            found.append(float(row[f"{kind}, protected"]) - float(row[kind]))
    low, high = (f"{f(gains['clean']):.1f}" for f in (min, max))
    least, most = (f"{f(gains['robust 8/255']):.1f}" for f in (min, max))
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    said = f"gains {low} to {high} points of clean accuracy and {least} to {most} of"
    assert said in told


def test_the_table_of_the_quickstart_is_that_of_its_run():
    with (ROOT / "results/quickstart/report.csv").open(newline="") as file:
        measured = list(csv.DictReader(file))
    told = table("results/quickstart/README.md", "images")
    assert len(told) == len(measured)
    for ours, row in zip(told, measured, strict=True):
        for name in ("images", "n", "surrogate", "target A", "target B"):
            assert ours[name] == row[name], row
