"""A picture of numbers by two fields: rows, columns, a number in each place."""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

_MOST = 60  # values of a field that have a word each


class Cells(NamedTuple):
    """What stands beside the rows and below the columns."""

    down: str
    across: str
    rows: Sequence[str]
    columns: Sequence[str]


def grid_plot(
    cells: Cells, values: Mapping[tuple[str, str], Sequence[float]], *, title: str
) -> bytes:
    """PNG bytes: the mean of the values at each place, blank where there are none.

    values: by row and column.
    """
    # Imported here because a run without pictures should not pay for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means = np.full((len(cells.rows), len(cells.columns)), np.nan)
    for (row, column), found in values.items():
        place = cells.rows.index(row), cells.columns.index(column)
        means[place] = float(np.mean(found))
    height, width = (0.45 * min(size, _MOST) for size in means.shape)
    size = (2.4 + 1.6 * width, 1.5 + height)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(means, aspect="auto", cmap="cividis")
    _label(axes.set_xticks, cells.columns, rotation=30, ha="right")
    _label(axes.set_yticks, cells.rows)
    axes.set_xlabel(cells.across)
    axes.set_ylabel(cells.down)
    axes.set_title(title, fontsize="medium", parse_math=False)
    finite = means[np.isfinite(means)]
    middle = (finite.min() + finite.max()) / 2 if finite.size else 0.0
    for (row, column), mean in np.ndenumerate(means):
        if np.isfinite(mean) and means.size <= _MOST**2 // 4:
            color = "white" if mean < middle else "black"
            text = f"{mean:.3g}"
            axes.text(column, row, text, ha="center", va="center", color=color)
    png = io.BytesIO()
    canvas.print_png(png)
    return png.getvalue()


def _label(ticks, names: Sequence[str], **style) -> None:
    if len(names) <= _MOST:
        ticks(range(len(names)), names, parse_math=False, **style)
