"""Tables as text: Markdown to read, CSV to compute with."""

import csv
import io
import math
from collections.abc import Sequence

MISSING = "–"


def percent(share: float | None, count: int | None = None) -> str:
    """A share in percent with one decimal, cut and never rounded up.

    An accuracy or a certificate in print must not exceed what was measured: 0.99996
    gives 99.9, and 100.0 means every image. With the number of images `count` the
    share is first turned back into its exact fraction, so that 57 of 100, which floats
    hold as 0.56999..., still gives 57.0. None (not measured) gives a dash.
    """
    if share is None:
        return MISSING
    if math.isnan(share):
        return "nan"
    if count:
        successes = round(share * count)
        if abs(successes / count - share) < 1e-9:
            return f"{successes * 1000 // count / 10:.1f}"
    # 1e-9 is far below a tenth of a percent and above the error of one product.
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}"


def interval(share: float | None, bounds: Sequence[float] | None, count=None) -> str:
    """A share with its interval in percent: `57.8 (53.4 to 62.1)`."""
    if share is None or bounds is None:
        return percent(share, count)
    low, high = bounds
    # The upper bound is rounded outwards for the same reason.
    top = math.ceil(high * 1000 - 1e-9) / 10
    return f"{percent(share, count)} ({percent(low)} to {top:.1f})"


def markdown_table(rows: Sequence[dict], columns: Sequence[str]) -> str:
    """Rows as a Markdown table, one column for each of `columns`, in their order.

    A value that is missing or None shows as a dash, a float with four digits, anything
    else as its text, with what would break the table escaped. Numbers align right.
    """
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    numeric = [
        all(_is_number(row.get(column)) for row in rows) and bool(rows)
        for column in columns
    ]
    lines = [
        [_escape(column) for column in columns],
        ["--:" if right else ":--" for right in numeric],
        *cells,
    ]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def csv_table(rows: Sequence[dict], columns: Sequence[str]) -> str:
    """Rows as CSV with a head line; floats in full, missing and None as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_plain(row.get(column)) for column in columns])
    return text.getvalue()


def _cell(value) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.4g}"
    return _escape(str(value))


def _escape(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _is_number(value) -> bool:
    if value is None or isinstance(value, int | float):
        return True
    try:
        float(str(value).split(" ")[0])
    except (ValueError, IndexError):
        return value == MISSING
    return True


def _plain(value):
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else value
