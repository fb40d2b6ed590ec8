"""The section of a report on what protections gain: over all models, and on each."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mspd_jax.report._outcomes import CERTIFIED
from mspd_jax.report._section import Section
from mspd_jax.report._tables import csv_table, markdown_table, percent
from mspd_jax.report._transfer import (
    Cell,
    Gain,
    by_labels,
    gains,
    mean_gain,
    together,
)

_NOTES = """
Clean and robust: percent, means over the models that neither guided the protection nor
labeled for it, of the worst case over the attacks, on the n images that all of these
evaluations share. Gain: the difference to the images as they were, in points, with the
95 % interval of the mean over the images; which models were chosen is not in it. "label
right": the gain of robust or certified accuracy over the images for which the label
that guided was the true one, and over the others. "least": the model with the least
gain. Certificates hold around the image that was certified, here the protected one.
"""
_COLUMNS = (
    "attack images target guided n clean_before robust_before clean robust gain_clean "
    "gain_clean_half gain_robust gain_robust_half gain_label_right gain_label_wrong"
).split()


def transfer_section(cells: Sequence[Cell]) -> Section:
    """Gains by attack: over all models that did not guide, then model by model.

    cells: those of `transfer_cells`, in their order.
    """
    text = ""
    for how, found in itertools.groupby(cells, key=lambda cell: cell.how):
        own = list(found)
        unseen = [cell for cell in own if not cell.guided]
        kinds = itertools.groupby(unseen, key=lambda cell: cell.images)
        rows = [_over_models(kind, list(some)) for kind, some in kinds]
        text += f"\n### {how}\n\n"
        text += markdown_table(rows) + "\n" if rows else ""
        text += markdown_table([_of_model(cell) for cell in own])
    return Section(f"\n## What protection gains\n{text}{_NOTES}" if text else "")


def transfer_csv(cells: Sequence[Cell], *, limit: int | None = None) -> str:
    """A line for each kind of images and each model, empty without any.

    limit: count the first of the images alone.
    """
    first = [
        cell._replace(verdicts=cell.verdicts[:limit], indices=cell.indices[:limit])
        for cell in cells
    ]
    return csv_table([_line(cell) for cell in first], _COLUMNS) if first else ""


def _over_models(kind: str, cells: Sequence[Cell]) -> dict[str, Any]:
    """A row over models, on the images that all of them were shown."""
    verdicts = together(cells)
    each = gains(verdicts).mean(axis=1)
    least = int(np.argmin(each))
    right, wrong = by_labels(verdicts)
    return {
        "images": kind,
        "models": len(cells),
        **_shown(verdicts, cells[0]),
        "label right": _points(right),
        "label wrong": _points(wrong),
        "least": f"{_points(float(each[least]))} ({cells[least].target})",
    }


def _of_model(cell: Cell) -> dict[str, Any]:
    model = cell.target + (" (guided)" if cell.guided else "")
    return {"images": cell.images, "model": model} | _shown(together([cell]), cell)


def _shown(verdicts: np.ndarray, cell: Cell) -> dict[str, Any]:
    clean, robust, clean_after, robust_after, _ = verdicts.mean(axis=(0, 1))
    kept = CERTIFIED if cell.how.startswith(CERTIFIED) else "robust"
    return {
        "n": verdicts.shape[1],
        "clean": f"{percent(float(clean))} to {percent(float(clean_after))}",
        kept: f"{percent(float(robust))} to {percent(float(robust_after))}",
        "gain, clean": _gain(mean_gain(verdicts, "clean")),
        f"gain, {kept}": _gain(mean_gain(verdicts)),
    }


def _gain(gain: Gain) -> str:
    return f"{_points(gain.mean)} +- {100 * gain.half:.1f}"


def _points(gain: float | None) -> str | None:
    return None if gain is None else f"{100 * gain:+.1f}"


def _line(cell: Cell) -> dict[str, Any]:
    verdicts = together([cell])
    values = [
        *(cell.how, cell.images, cell.target, cell.guided, len(cell.verdicts)),
        *(float(share) for share in cell.verdicts[:, :4].mean(axis=0)),
        *mean_gain(verdicts, "clean"),
        *mean_gain(verdicts),
        *by_labels(verdicts),
    ]
    return dict(zip(_COLUMNS, values, strict=True))
