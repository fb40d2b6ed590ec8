"""How far the averages of one table of gains are from those of another.

    python -m benchmarks.compare OUT/report/transfer.csv results/transfer/subset.csv

Prints for each attack and kind of images that the second file has what both say over
the models that did not guide, in percent, and the largest difference. Exits with 1 if a
mean differs by more than --within points, or if the first file lacks a line of the
second or has it of other images.
"""

import csv
import pathlib
import sys
from collections.abc import Mapping

import numpy as np
from absl import app, flags

from mspd_jax.report import markdown_table

FLAGS = flags.FLAGS
flags.DEFINE_float("within", 1.5, "points that means may be apart")
_SHARES = ("clean", "robust", "gain_clean", "gain_robust")

# By attack, images and model, a line of the file.
Table = Mapping[tuple[str, str, str], Mapping[str, str]]


def main(arguments):
    if len(arguments) != 3:
        sys.exit(f"two files are needed, got {len(arguments) - 1}: see --help")
    mine, theirs = (read(pathlib.Path(path)) for path in arguments[1:])
    if lacking := lacks(mine, theirs):
        sys.exit(f"{arguments[1]}: {lacking}")
    rows, apart = compared(mine, theirs)
    print(markdown_table(rows))
    print(f"In brackets: {arguments[2]}. Means differ by {apart:.2f} points at most.")
    sys.exit(not apart <= FLAGS.within)


def read(path: pathlib.Path) -> Table:
    """The lines of a transfer.csv on models that did not guide."""
    try:
        with path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["guided"] == "False"]
        table = {(r["attack"], r["images"], r["target"]): r for r in rows}
    except (OSError, KeyError, UnicodeDecodeError):
        table = {}
    if not table:
        sys.exit(f"{path} is no table of gains: a transfer.csv of a report is needed")
    return table


def lacks(mine: Table, theirs: Table) -> str | None:
    """What of the second table the first does not hold, or holds of other images."""
    for cell, line in theirs.items():
        if cell not in mine:
            return f"no line on {', '.join(cell)}"
        if mine[cell]["n"] != line["n"]:
            return f"{mine[cell]['n']} images, not {line['n']}, of {', '.join(cell)}"
    return None


def compared(mine: Table, theirs: Table) -> tuple[list[dict], float]:
    """A row for each kind of the second table, and how many points are between both."""
    rows, apart = [], []
    for kind in dict.fromkeys(cell[:2] for cell in theirs):
        cells = [cell for cell in theirs if cell[:2] == kind]
        row = {"attack": kind[0], "images": kind[1], "models": len(cells)}
        for name in _SHARES:
            here, there = (_mean(table, cells, name) for table in (mine, theirs))
            row[name] = f"{here:.1f} ({there:.1f})"
            apart.append(abs(here - there))
        rows.append(row)
    return rows, float(np.max(apart))  # which nothing but a number passes


def _mean(table: Table, cells, name: str) -> float:
    return 100 * sum(float(table[cell][name]) for cell in cells) / len(cells)


if __name__ == "__main__":
    app.run(main)
