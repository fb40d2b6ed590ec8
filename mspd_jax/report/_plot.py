"""A plot of accuracy against the size of what an attack may do."""

import io
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

# Colors that differ in lightness too, for readers who do not see all hues.
COLORS = ("#1b6ca8", "#c8553d", "#3b7d4f", "#7b4f9d", "#b8860b", "#444444")
_MARKERS = "osD^vP"

# x, a share, and the bounds of its interval.
Point = tuple[float, float, float, float]


class Curve(NamedTuple):
    """One line of a plot.

    Attributes:
      name: for the legend.
      points: (x, share, low, high), low and high the bounds of an interval.
      unreliable: whether a check of the numbers has failed: drawn dashed.
    """

    name: str
    points: Sequence[Point]
    unreliable: bool = False


def accuracy_plot(
    curves: Sequence[Curve],
    *,
    label: str,
    claim: str = "accuracy, worst case over the attacks, %",
    scale: str = "linear",
    dpi: int = 120,
) -> bytes:
    """PNG bytes: accuracy in percent over x, intervals shaded.

    Lines join measured points and are no claim about what lies between.

        curve = Curve("MSPD", [(4, 0.6, 0.5, 0.7), (8, 0.3, 0.2, 0.4)])
        png = accuracy_plot([curve], label="eps, l_inf (levels of 255)")

    Args:
      label: of x. claim: of y, what the accuracy says. scale: of x, linear or log.
    """
    lines = []
    for place, curve in enumerate(curves):
        style = {
            "label": curve.name + (" (unreliable)" if curve.unreliable else ""),
            "color": COLORS[place % len(COLORS)],
            "linestyle": "--" if curve.unreliable else "-",
            "marker": _MARKERS[place % len(_MARKERS)],
            "markersize": 4,
        }
        lines.append((curve.points, style))
    return draw(lines, labels=(label, claim), scale=scale, dpi=dpi)


def draw(
    lines: Sequence[tuple[Sequence[Point], dict[str, Any]]],
    *,
    labels: tuple[str, str],
    step: Literal["pre"] | None = None,
    end: float | None = None,
    scale: str = "linear",
    dpi: int,
) -> bytes:
    """PNG bytes: lines of shares in percent over x, their intervals shaded.

    Args:
      lines: (points as of a `Curve`, style). labels: of x and y.
      step: None joins points, "pre" holds a point's value back to the x of the point
        before.
      end: largest x. scale: of x, linear or log.
    """
    # Imported here because a run without pictures should not pay for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for points, style in lines:
        x, share, low, high = zip(*sorted(points), strict=True)
        axes.fill_between(
            x,
            _percent(low),
            _percent(high),
            step=step,
            color=style["color"],
            alpha=0.12,
            linewidth=0,
        )
        drawstyle = f"steps-{step}" if step else "default"
        axes.plot(x, _percent(share), drawstyle=drawstyle, **style)
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


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]
