"""How far the averages of one table of gains are from those of another.

    python -m benchmarks.compare OUT/report/transfer.csv results/transfer/subset.csv

Prints for each attack and kind of images what both say over the models that both have
and that did not guide, in percent, and the largest difference. Exits with 1 if a mean
differs by more than --within points.
"""

import csv
import pathlib
import sys

from absl import app, flags

from mspd_jax.report import markdown_table

FLAGS = flags.FLAGS
flags.DEFINE_float("within", 1.5, "points that means may be apart")
_SHARES = ("clean", "robust", "gain_clean", "gain_robust")


def main(arguments):
    if len(arguments) != 3:
        sys.exit(f"two files are needed, got {len(arguments) - 1}: see --help")
    mine, theirs = (_read(pathlib.Path(path)) for path in arguments[1:])
    shared = [cell for cell in mine if cell in theirs]
    if not shared:
        sys.exit("the files have no attack, images and model in common")
    rows, apart = [], 0.0
    for kind in dict.fromkeys(cell[:2] for cell in shared):
        cells = [cell for cell in shared if cell[:2] == kind]
        row = {"attack": kind[0], "images": kind[1], "models": len(cells)}
        for name in _SHARES:
            here, there = (_mean(table, cells, name) for table in (mine, theirs))
            row[name] = f"{here:.1f} ({there:.1f})"
            apart = max(apart, abs(here - there))
        rows.append(row)
    print(markdown_table(rows))
    print(f"In brackets: {arguments[2]}. Means differ by {apart:.2f} points at most.")
    sys.exit(apart > FLAGS.within)


def _read(path: pathlib.Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """Cells of models that did not guide, by attack, images and model."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        rows = [row for row in rows if row["guided"] == "False"]
        return {(r["attack"], r["images"], r["target"]): r for r in rows}
    except (OSError, KeyError, UnicodeDecodeError):
        sys.exit(f"{path} is no table of gains: a transfer.csv of a report is needed")


def _mean(table, cells, name: str) -> float:
    return 100 * sum(float(table[cell][name]) for cell in cells) / len(cells)


if __name__ == "__main__":
    app.run(main)
