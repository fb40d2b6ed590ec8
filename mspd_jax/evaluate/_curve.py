"""A plot of accuracy against the size of what an attack may do."""

import io
from collections.abc import Sequence
from typing import NamedTuple

# Colours that differ in lightness too, for readers who do not see all hues.
_COLORS = ("#1b6ca8", "#c8553d", "#3b7d4f", "#7b4f9d", "#b8860b", "#444444")
_MARKERS = "osD^vP"


class Curve(NamedTuple):
    """One line of the plot.

    Attributes:
      name: for the legend.
      points: (x, share, low, high), low and high the bounds of an interval.
      doubted: whether the numbers are marked as unreliable: drawn dashed.
    """

    name: str
    points: Sequence[tuple[float, float, float, float]]
    doubted: bool = False


def accuracy_plot(curves: Sequence[Curve], *, label: str, dpi: int = 120) -> bytes:
    """PNG bytes: accuracy in percent over `label`, intervals shaded.

    Lines join measured points and are no claim about what lies between.
    """
    # Imported here because a run without pictures should not pay for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), dpi=dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, curve in enumerate(curves):
        x, share, low, high = zip(*sorted(curve.points), strict=True)
        color = _COLORS[place % len(_COLORS)]
        axes.fill_between(
            x, _percent(low), _percent(high), color=color, alpha=0.12, linewidth=0
        )
        axes.plot(
            x,
            _percent(share),
            color=color,
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=4,
            linestyle="--" if curve.doubted else "-",
            label=curve.name + (" (unreliable)" if curve.doubted else ""),
        )
    axes.set_xlabel(label)
    axes.set_ylabel("accuracy, worst case over the attacks, %")
    axes.set_ylim(-2, 102)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    png = io.BytesIO()
    canvas.print_png(png)
    return png.getvalue()


def _percent(shares):
    return [100 * share for share in shares]
