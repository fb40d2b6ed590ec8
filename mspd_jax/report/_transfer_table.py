"""The section of a report on what protections gain: over all models, and on each."""

from collections.abc import Sequence
from typing import Any

from mspd_jax.report._outcomes import CERTIFIED
from mspd_jax.report._section import Section
from mspd_jax.report._tables import csv_table, markdown_table, percent
from mspd_jax.report._transfer import (
    Cell,
    Gain,
    by_labels,
    grouped_cells,
    mean_gain,
    transfer_cells,
)
from mspd_jax.runs import Run

_NOTES = """
Clean and robust: percent, means over the models that neither guided the protection nor
labeled for it, of the worst case over the attacks, on the images that both evaluations
share. Gain: the difference to the images as they were, in points, with the 95 %
interval of the mean over the images; which models were chosen is not in it. "label
right": the gain of robust or certified accuracy over the images for which the label
that guided was the true one, and over the others. "least": the model with the least
gain. Certificates hold around the image that was certified, here the protected one.
"""
_COLUMNS = (
    "attack images target guided n clean_before robust_before clean robust gain_clean "
    "gain_clean_half gain_robust gain_robust_half gain_label_right gain_label_wrong"
).split()


def transfer_section(runs: Sequence[Run]) -> Section:
    """Gains by attack: over all models that did not guide, then model by model."""
    cells = transfer_cells(runs)
    text = ""
    for how, found in grouped_cells(cells).items():
        kinds = {kind: [c for c in found if c.images == kind] for kind in _kinds(found)}
        unseen = {k: [c for c in own if not c.guided] for k, own in kinds.items()}
        rows = [_over_models(kind, own) for kind, own in unseen.items() if own]
        text += f"\n### {how}\n\n"
        text += markdown_table(rows) + "\n" if rows else ""
        text += markdown_table(_by_model(found))
    return Section(f"\n## What protection gains\n{text}{_NOTES}" if text else "")


def transfer_csv(runs: Sequence[Run], *, limit: int | None = None) -> str:
    """A line for each kind of images and each model, empty without any.

    limit: count the first of the images alone.
    """
    cells = [
        cell._replace(verdicts=cell.verdicts[:limit]) for cell in transfer_cells(runs)
    ]
    return csv_table([_line(cell) for cell in cells], _COLUMNS) if cells else ""


def _kinds(cells: Sequence[Cell]) -> list[str]:
    return sorted({cell.images for cell in cells})


def _over_models(kind: str, cells: Sequence[Cell]) -> dict[str, Any]:
    least = min(cells, key=lambda cell: cell.gain().mean())
    right, wrong = by_labels(cells)
    kept = CERTIFIED if cells[0].how.startswith(CERTIFIED) else "robust"
    return {
        "images": kind,
        "models": len(cells),
        "n": min(len(cell.verdicts) for cell in cells),
        "clean": f"{_mean(cells, 0)} to {_mean(cells, 2)}",
        kept: f"{_mean(cells, 1)} to {_mean(cells, 3)}",
        "gain, clean": _shown(mean_gain(cells, "clean")),
        f"gain, {kept}": _shown(mean_gain(cells)),
        "label right": _points(right),
        "label wrong": _points(wrong),
        "least": f"{_points(least.gain().mean())} ({least.target})",
    }


def _by_model(cells: Sequence[Cell]) -> list[dict[str, str]]:
    """A row for each model, a column for the images of each kind."""
    rows: dict[str, dict[str, str]] = {}
    for cell in sorted(cells, key=lambda cell: cell.images):
        name = cell.target + (" (guided)" if cell.guided else "")
        row = rows.setdefault(name, {"model": name})
        row.setdefault("as they were", _pair(cell, 0))
        row[cell.images] = _pair(cell, 2)
    return list(rows.values())


def _pair(cell: Cell, column: int) -> str:
    shares = cell.verdicts[:, column : column + 2].mean(axis=0)
    return " / ".join(percent(share, len(cell.verdicts)) for share in shares)


def _mean(cells: Sequence[Cell], column: int) -> str:
    shares = [float(cell.verdicts[:, column].mean()) for cell in cells]
    return percent(sum(shares) / len(shares))


def _shown(gain: Gain) -> str:
    return f"{_points(gain.mean)} +- {100 * gain.half:.1f}"


def _points(gain: float | None) -> str | None:
    return None if gain is None else f"{100 * gain:+.1f}"


def _line(cell: Cell) -> dict[str, Any]:
    values = [
        *(cell.how, cell.images, cell.target, cell.guided, len(cell.verdicts)),
        *(float(share) for share in cell.verdicts[:, :4].mean(axis=0)),
        *mean_gain([cell], "clean"),
        *mean_gain([cell]),
        *by_labels([cell]),
    ]
    return dict(zip(_COLUMNS, values, strict=True))
