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


def test_what_the_readme_says_of_a_pair_of_one_kind_is_that_of_cifar10():
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    rows = {row["images"]: row for row in table("results/cifar10/README.md", "images")}
    names = ("unprotected", "MSPD, N = 20 (the paper)", "MSPD, N = 4, antithetic")
    before, paper, few = (rows[name]["B robust"] for name in names)
    said = f"{before} to {paper} under PGD-20, {few} with a fifth of the paper"
    assert said in told
    reverted = (rows[f"MSPD, N = 20, reverted with {m}"]["B robust"] for m in "AB")
    assert " and ".join(reverted) + " where an attacker reverts" in told


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


def test_the_gains_on_external_networks_are_those_of_their_runs():
    rows = table("results/external_models/README.md", "target")
    ours = measured("results/external_models")
    gains: dict[str, list[float]] = {"clean": [], "robust 8/255": []}
    for row in rows:
        for end in ("", ", protected"):
            pair = row[f"clean{end}"], row[f"robust 8/255{end}"]
            assert pair in ours[row["target"]], row
        for kind, found in gains.items():
            found.append(float(row[f"{kind}, protected"]) - float(row[kind]))
    page = (ROOT / "results/external_models/README.md").read_text(encoding="utf-8")
    told = " ".join(page.split())
    low, high = (f"{f(gains['clean']):.1f}" for f in (min, max))
    least, most = (f"{f(gains['robust 8/255']):.1f}" for f in (min, max))
    assert f"clean {low} to {high} points, robust {least} to {most}." in told


def test_the_table_of_the_quickstart_is_that_of_its_run():
    with (ROOT / "results/quickstart/report.csv").open(newline="") as file:
        measured = list(csv.DictReader(file))
    told = table("results/quickstart/README.md", "images")
    assert len(told) == len(measured)
    for ours, row in zip(told, measured, strict=True):
        for name in ("images", "n", "surrogate", "target A", "target B"):
            assert ours[name] == row[name], row


def test_the_table_of_networks_is_that_of_its_runs():
    ours = measured("results/networks")
    rows = table("results/networks/README.md", "network")
    told = {row["network"].split(",")[0]: (row["clean"], row["robust"]) for row in rows}
    earlier = told.pop("fast")
    assert set(told) <= set(ours) and len(told) >= 5
    for name, pair in told.items():
        assert pair in ours[name], name
    assert earlier in measured("results/cifar10")["A"]


GAINS = "pgd-20,transfer:mim-20,malt-30,square-500, linf 8/255"


def transferred(path: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Lines of a transfer.csv on models that did not guide, by attack and images."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    with (ROOT / path).open(newline="") as file:
        for row in csv.DictReader(file):
            if row["guided"] == "False":
                found.setdefault((row["attack"], row["images"]), []).append(row)
    return found


@pytest.mark.parametrize("page", ["README.md", "results/transfer/README.md"])
def test_the_table_of_transfer_is_that_of_its_runs(page):
    found = transferred("results/transfer/transfer.csv")
    rows = table(page, "protected by")
    assert len(rows) >= 2
    for row in rows:
        lines = found[GAINS, row["protected by"].split("`")[1]]
        means = {
            name: sum(float(line[name]) for line in lines) / len(lines)
            for name in lines[0]
            if name.startswith(("clean", "robust", "gain")) and "label" not in name
        }
        assert row["networks"] == str(len(lines))
        for kind in ("clean", "robust"):
            told = f"{cut(str(means[f'{kind}_before']))} to {cut(str(means[kind]))}"
            assert row[kind] == told, row
            gain = f"{100 * means[f'gain_{kind}']:+.1f}"
            assert row[f"gain, {kind}"].split(" ")[0] == gain, row
        least = min(float(line["gain_robust"]) for line in lines)
        assert row["least gain, robust"].split(" ")[0] == f"{100 * least:+.1f}", row


def test_each_network_of_the_table_of_transfer_is_that_of_its_runs():
    found = transferred("results/transfer/transfer.csv")[GAINS, "antithetic-4"]
    lines = {line["target"]: line for line in found}
    rows = table("results/transfer/README.md", "network")
    assert {row["network"] for row in rows} == set(lines)
    for row in rows:
        line = lines[row["network"]]
        for kind in ("clean", "robust"):
            assert row[kind] == f"{cut(line[f'{kind}_before'])} to {cut(line[kind])}"


def test_the_subset_of_transfer_is_of_the_same_networks():
    few = transferred("results/transfer/subset.csv")
    whole = transferred("results/transfer/transfer.csv")
    kinds = [kind for kind in few if kind[0] == GAINS]
    assert kinds
    for kind in kinds:
        assert len(few[kind]) == len(whole[kind])
        assert {line["n"] for line in few[kind]} == {"128"}
