"""Plots of accuracy: against eps, against the work, against the certified radius."""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from mspd_jax.evaluate import wilson_interval

# Colors that differ in lightness too, for readers who do not see all hues.
_COLORS = ("#1b6ca8", "#c8553d", "#3b7d4f", "#7b4f9d", "#b8860b", "#444444")
_MARKERS = "osD^vP"
# Patterns of lines, for readers who do not see colors; 30 pairs before one comes again.
_PATTERNS = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)), (0, (3, 1)))

# x, a share, and the bounds of its interval.
Point = tuple[float, float, float, float]
# What the runs of one line share; None for what they do not have.
Kind = tuple[str | None, ...]
_Item = TypeVar("_Item")


class Curve(NamedTuple):
    """One line of a plot, dashed where a check of its numbers has failed."""

    name: str
    points: Sequence[Point]
    unreliable: bool = False


def grouped(
    items: Iterable[_Item], kind: Callable[[_Item], Kind]
) -> list[tuple[str, list[_Item]]]:
    """(name, items) of each kind that several items have, named by what is special."""
    groups: dict[Kind, list[_Item]] = {}
    for item in items:
        groups.setdefault(kind(item), []).append(item)
    groups = {kind: found for kind, found in groups.items() if len(found) > 1}
    parts = distinguishing_parts(list(groups))
    return [
        (", ".join(apart) or str(kind[0]), found)
        for (kind, found), apart in zip(groups.items(), parts, strict=True)
    ]


def distinguishing_parts(kinds: Sequence[Kind]) -> list[list[str]]:
    """For each kind the parts in which the kinds differ; None makes no difference."""
    differ = [len({*parts} - {None}) > 1 for parts in zip(*kinds, strict=True)]
    return [
        [part for part, apart in zip(kind, differ, strict=True) if apart and part]
        for kind in kinds
    ]


def certified_curve(name: str, records: Sequence[dict]) -> Curve:
    """Certified accuracy at every radius, as the steps that `certified_plot` draws.

    A point (x, share, low, high) says what is certified at each radius above the x of
    the point before it and up to x, x included; the first is at 0, the last at
    infinity, where nothing is certified. low, high: 95 %, over the choice of images.
    records: of a certification, see `evaluate.certified_accuracy`.
    """
    right = [r["radius"] for r in records if r["correct"] and r["radius"] > 0]
    radii = np.array(right, np.float64)
    ends = np.array([0.0, *np.unique(radii), math.inf])
    counts = [int(np.sum(radii >= end)) for end in ends]
    shares = np.divide(counts, max(len(records), 1))
    low, high = wilson_interval(counts, len(records))
    points = [
        (float(x), float(s), float(a), float(b))
        for x, s, a, b in zip(ends, shares, low, high, strict=True)
    ]
    return Curve(name, points)


def accuracy_plot(
    curves: Sequence[Curve],
    *,
    label: str,
    claim: str = "accuracy, worst case over the attacks, %",
    scale: str = "linear",
) -> bytes:
    """PNG bytes: accuracy in percent over x, intervals shaded.

    Lines join measured points and are no claim about what lies between. label, scale
    (linear or log): of x. claim: of y, what the accuracy says.
    """
    lines = []
    for place, curve in enumerate(curves):
        style = {
            "label": curve.name + (" (unreliable)" if curve.unreliable else ""),
            "color": _COLORS[place % len(_COLORS)],
            "linestyle": "--" if curve.unreliable else "-",
            "marker": _MARKERS[place % len(_MARKERS)],
            "markersize": 4,
        }
        lines.append((curve.points, style))
    return _draw(lines, labels=(label, claim), scale=scale)


def certified_plot(curves: Sequence[Curve], *, label: str) -> bytes:
    """PNG bytes: certified accuracy in percent over `label`, the l2 radius.

    curves: of `certified_curve`, with steps where the radii of images are: nothing is
    interpolated. Shaded: the interval of each. A line ends at 0, soon after its largest
    radius, lest lines hide each other there.
    """
    largest = [max(x for x, *_ in curve.points if math.isfinite(x)) for curve in curves]
    end = 1.04 * max(largest, default=0.0) or 1.0
    lines = []
    for place, curve in enumerate(curves):
        style = {
            "label": curve.name,
            "color": _COLORS[place % len(_COLORS)],
            "linestyle": _PATTERNS[place % len(_PATTERNS)],
        }
        stop = largest[place] + 0.02 * end if largest[place] else end
        points = [(min(x, stop), s, a, b) for x, s, a, b in curve.points]
        lines.append((points, style))
    return _draw(lines, labels=(label, "certified accuracy, %"), step="pre", end=end)


def _draw(
    lines: Sequence[tuple[Sequence[Point], dict[str, Any]]],
    *,
    labels: tuple[str, str],
    step: Literal["pre"] | None = None,
    end: float | None = None,
    scale: str = "linear",
) -> bytes:
    """PNG bytes of lines (points, style), their shares in percent.

    step: None joins points, "pre" holds a point's value back to the x of the point
    before. end: largest x.
    """
    # Imported here because a run without pictures should not pay for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for points, style in lines:
        x, *shares = zip(*sorted(points), strict=True)
        share, low, high = ([100 * value for value in values] for values in shares)
        shade = {"color": style["color"], "alpha": 0.12, "linewidth": 0}
        axes.fill_between(x, low, high, step=step, **shade)
        axes.plot(x, share, drawstyle=f"steps-{step}" if step else "default", **style)
    axes.set_xscale(scale)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_ylim(-2, 102)
    if end is not None:
        axes.set_xlim(0, end)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    png = io.BytesIO()
    canvas.print_png(png)
    return png.getvalue()
