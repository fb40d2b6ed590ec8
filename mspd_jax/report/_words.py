"""What tables of a report say of a row, in words; None shows as a dash."""

import math
from collections.abc import Mapping
from typing import Any

from mspd_jax.report._tables import percent


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
