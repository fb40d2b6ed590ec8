"""The plot of certified accuracy against the radius."""

import math
from collections.abc import Sequence

import numpy as np

from mspd_jax.evaluate import wilson_interval
from mspd_jax.report._plot import COLORS, Curve, draw

# Patterns of lines, for readers who do not see colors; 30 pairs before one comes again.
_PATTERNS = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)), (0, (3, 1)))


def certified_curve(name: str, records: Sequence[dict]) -> Curve:
    """Certified accuracy at every radius, as the steps that `certified_plot` draws.

    A point (x, share, low, high) says what is certified at each radius above the x of
    the point before it and up to x, x included; the first is at 0, the last at
    infinity, where nothing is certified. low, high: 95 %, over the choice of images.

    Args:
      name: for the legend. records: of a certification, see
        `evaluate.certified_accuracy`.
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


def certified_plot(curves: Sequence[Curve], *, label: str, dpi: int = 120) -> bytes:
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
            "color": COLORS[place % len(COLORS)],
            "linestyle": _PATTERNS[place % len(_PATTERNS)],
        }
        stop = largest[place] + 0.02 * end if largest[place] else end
        points = [(min(x, stop), s, a, b) for x, s, a, b in curve.points]
        lines.append((points, style))
    return draw(
        lines, labels=(label, "certified accuracy, %"), step="pre", end=end, dpi=dpi
    )
