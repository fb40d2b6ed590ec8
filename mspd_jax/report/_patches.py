"""The section of a report on certificates against patches: a table and its curve."""

from collections.abc import Sequence

from mspd_jax.report._plot import Curve, Kind, accuracy_plot, grouped
from mspd_jax.report._rows import UNDETECTED, Row, certifies_patches, summary_rows
from mspd_jax.report._section import Section, section
from mspd_jax.report._tables import (
    accuracy,
    markdown_table,
    marked_name,
    share,
    share_rounded_up,
)
from mspd_jax.runs import Run

_NOTES = """
Percent of all images, in brackets the 95 % interval over the choice of images; what is
good is cut, alerts and undetected are rounded up. Certified: the class is right, and no
square patch of that side, whatever it shows and wherever it is, brings about another
class without an alert (with patchcleanser: another class). Clean: the class is right
and nothing is hidden or attacked; an alert on a clean image is an error. Predictions:
of the classifier for each image; windows that share an answer are asked once.
Undetected: wrong without an alert after that attack, which is one of many; no more than
what is not certified. ms / image: left out where images were attacked as well, which
takes most of the time.
"""
# What runs of one line share: all but the number of windows.
_KIND = (
    "method",
    "model",
    "patch",
    "cut",
    "keep",
    "select",
    "confidence",
    "source",
    "images",
)


def patches_section(runs: Sequence[Run]) -> Section:
    """Certifications against patches: a table, and their accuracy against the work."""
    rows = summary_rows([run for run in runs if certifies_patches(run)])
    if not rows:
        return Section()
    text = markdown_table([_table_row(row) for row in rows]) + _NOTES
    measured = [row for row in rows if row["certified_accuracy"] is not None]
    # A curve needs runs of several numbers of windows.
    curves = [
        Curve(name, [_point(row) for row in found])
        for name, found in grouped(measured, _kind)
    ]
    labels = {
        "label": "predictions of the classifier per image",
        "claim": "certified accuracy, %",
    }
    return section(
        text,
        name="patches.png",
        png=accuracy_plot(curves, scale="log", **labels) if curves else None,
        alt="certified accuracy against the work",
        title="Certified against patches",
    )


def _table_row(row: Row) -> Row:
    attacks = [key for key in row if key.startswith(UNDETECTED)]
    seconds = None if attacks else row["seconds_per_image"]
    predictions = row["mean_predictions"]
    return {
        "run": marked_name(row),
        **{key: row[key] for key in ("method", "model", "patch", "windows", "cut")},
        "neurons kept": row["keep"],
        "of": row["select"],
        "confidence": row["confidence"] or None,
        "images": row["images"],
        "certified %": accuracy(row, "certified"),
        "clean %": accuracy(row, "clean"),
        "right, alert or not %": share(row, "unguarded_accuracy"),
        "alerts %": share_rounded_up(row, "alert_rate"),
        **{
            f"undetected, {key.removeprefix(UNDETECTED)} %": share_rounded_up(row, key)
            for key in attacks
        },
        "predictions / image": None if predictions is None else f"{predictions:.1f}",
        "ms / image": seconds and f"{1000 * seconds:.3g}",
    }


def _kind(row: Row) -> Kind:
    words = {key: "" if key in ("method", "model") else f"{key} " for key in _KIND}
    return tuple(
        None if row[key] is None else f"{words[key]}{row[key]}" for key in _KIND
    )


def _point(row: Row) -> tuple[float, float, float, float]:
    low, high = row["certified_low"], row["certified_high"]
    return row["mean_predictions"], row["certified_accuracy"], low, high
