"""Tables as text: Markdown to read, CSV to compute with."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "–"


def percent(
    share: float | None,
    count: int | None = None,
    *,
    interval: tuple[float, float] | None = None,
) -> str:
    """A share in percent with one decimal, cut and never rounded up.

    An accuracy or a certificate in print must not exceed what was measured: 0.99996
    gives 99.9, and 100.0 means every image.

        percent(57 / 100, 100)                        # 57.0
        percent(0.578, interval=(0.534, 0.6201))      # 57.8 (53.4 to 62.1)

    Args:
      share: None, not measured, gives a dash.
      count: number of images, by which the share is turned back into its exact
        fraction: 57 of 100, which floats hold as 0.56999..., still gives 57.0.
      interval: its ends follow in brackets, rounded outwards.
    """
    if share is None:
        return MISSING
    if interval is not None:
        low, high = interval
        top = math.ceil(high * 1000 - 1e-9) / 10
        return f"{percent(share, count)} ({percent(low)} to {top:.1f})"
    if math.isnan(share):
        return "nan"
    if count:
        successes = round(share * count)
        if abs(successes / count - share) < 1e-9:
            return f"{successes * 1000 // count / 10:.1f}"
    # 1e-9 is far below a tenth of a percent and above the error of one product.
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}"


def markdown_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> str:
    """Rows as a Markdown table, one column for each of `columns`, in their order.

    A value that is missing or None shows as a dash, a float with four digits, anything
    else as its text, with what would break the table escaped. Numbers align right.
    Without `columns` the table has those in which a row has a value.
    """
    if columns is None:
        columns = used_columns(rows)
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


def csv_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV with a head line; floats in full, missing and None as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_plain(row.get(column)) for column in columns])
    return text.getvalue()


def used_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns in which a row has a value, in the order of the rows' keys."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return [c for c in columns if any(row.get(c) is not None for row in rows)]


def _cell(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.4g}"
    return _escape(str(value))


def _escape(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _is_number(value: Any) -> bool:
    if value is None or isinstance(value, int | float):
        return True
    try:
        float(str(value).split(" ")[0])
    except (ValueError, IndexError):
        return value == MISSING
    return True


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else value
