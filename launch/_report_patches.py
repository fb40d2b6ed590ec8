"""The section of a report on certificates against patches: a table and its curve."""

import math
from collections.abc import Sequence

from launch._report_rows import PATCHED, UNDETECTED
from mspd_jax import evaluate

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
_LABEL = "predictions of the classifier per image"
_CLAIM = "certified accuracy, %"
# What runs of one line share: all but the number of windows.
_KIND = ("method", "model", "patch", "cut", "keep", "confidence", "source", "images")


def patches_section(rows: Sequence[dict]) -> tuple[str, bytes | None]:
    """Markdown of the section and PNG of its plot; nothing without such runs.

    rows: the raw rows of the runs.
    """
    found = [row for row in rows if row.get("method") in PATCHED]
    if not found:
        return "", None
    table = [_told(row) for row in found]
    columns = list(dict.fromkeys(column for row in table for column in row))
    columns = [c for c in columns if any(row.get(c) is not None for row in table)]
    text = evaluate.markdown_table(table, columns) + _NOTES
    png = _plot([row for row in found if row["certified_accuracy"] is not None])
    shown = "![certified accuracy against the work](patches.png)\n\n" * bool(png)
    return f"\n## Certified against patches\n\n{shown}{text}", png


def _told(row: dict) -> dict:
    def share(key):
        value = row.get(key)
        return None if value is None else evaluate.percent(value, row["images"])

    def ranged(kind):
        value = row.get(f"{kind}_accuracy")
        interval = row.get(f"{kind}_interval")
        if value is None:
            return None
        return evaluate.interval(value, interval, row["images"])

    def bad(key):  # what is bad is rounded up, as what is good is cut
        value = row.get(key)
        return None if value is None else f"{math.ceil(1000 * value - 1e-6) / 10:.1f}"

    attacked = any(key.startswith(UNDETECTED) for key in row)
    seconds = None if attacked else row["seconds_per_image"]
    asked = row["mean_predictions"]
    return {
        "run": row["run"] + ("" if row["finished"] else " (unfinished)"),
        "method": row["method"],
        "model": row["model"],
        "patch": row["patch"],
        "windows": row["windows"],
        "cut": row["cut"],
        "neurons kept": row["keep"],
        "confidence": row["confidence"] or None,
        "images": row["images"],
        "certified %": ranged("certified"),
        "clean %": ranged("clean"),
        "right, alert or not %": share("unguarded_accuracy"),
        "alerts %": bad("alert_rate"),
        **{
            f"undetected, {key.removeprefix(UNDETECTED)} %": bad(key)
            for key in row
            if key.startswith(UNDETECTED)
        },
        "predictions / image": None if asked is None else f"{asked:.1f}",
        "ms / image": seconds and f"{1000 * seconds:.3g}",
    }


def _plot(rows: Sequence[dict]) -> bytes | None:
    """A line for each kind of run of which there are several numbers of windows."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        kind = tuple(row[key] for key in _KIND)
        groups.setdefault(kind, []).append(row)
    groups = {kind: found for kind, found in groups.items() if len(found) > 1}
    if not groups:
        return None
    # What other methods do not have tells none of them apart.
    differ = [len(set(values) - {None}) > 1 for values in zip(*groups, strict=True)]
    curves = [_curve(kind, differ, group) for kind, group in groups.items()]
    return evaluate.accuracy_plot(curves, label=_LABEL, claim=_CLAIM, scale="log")


def _curve(kind, differ, group) -> evaluate.Curve:
    told = [
        str(value) if key in ("method", "model") else f"{key} {value}"
        for key, value, apart in zip(_KIND, kind, differ, strict=True)
        if apart and value is not None
    ]
    points = [
        (row["mean_predictions"], row["certified_accuracy"], *row["certified_interval"])
        for row in group
    ]
    return evaluate.Curve(", ".join(told) or kind[0], points)
