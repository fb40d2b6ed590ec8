"""Tables as text, and what they say: Markdown to read, CSV to compute with."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = "–"


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
        return _MISSING
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


def share(row: Mapping[str, Any], key: str) -> str | None:
    """A share of the row's images in percent, cut."""
    value = row.get(key)
    return None if value is None else percent(value, row["images"])


def share_rounded_up(row: Mapping[str, Any], key: str) -> str | None:
    """A share of what is bad in percent: rounded up, as what is good is cut."""
    value = row.get(key)
    return None if value is None else f"{math.ceil(1000 * value - 1e-6) / 10:.1f}"


def accuracy(row: Mapping[str, Any], kind: str) -> str | None:
    """An accuracy in percent, with its interval where it has one."""
    value, low, high = (row[f"{kind}_{end}"] for end in ("accuracy", "low", "high"))
    if value is None:
        return None
    return percent(value, row["images"], interval=None if low is None else (low, high))


def marked_name(row: Mapping[str, Any]) -> str:
    """The name of a run, marked where it is unfinished."""
    return row["run"] + ("" if row["finished"] else " (unfinished)")


def markdown_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> str:
    """Rows as a Markdown table, one column for each of `columns`, in their order.

    A value that is missing or None shows as a dash, a float with four digits, anything
    else as its text, with what would break the table escaped. Numbers align right.
    Without `columns` the table has those in which a row has a value.
    """
    if columns is None:
        known = dict.fromkeys(column for row in rows for column in row)
        columns = [c for c in known if any(row.get(c) is not None for row in rows)]
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
        values = (row.get(column) for column in columns)
        writer.writerow([repr(v) if isinstance(v, float) else v for v in values])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return _MISSING
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
        return value == _MISSING
    return True
