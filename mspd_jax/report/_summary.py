"""The first table of a report: what each run found, in words."""

from collections.abc import Sequence

from mspd_jax.report._rows import AFTER, ATTACK, Row
from mspd_jax.report._tables import accuracy, share

_PREFIXES = {ATTACK: "attack {} %", AFTER: "after {} %"}


def table_rows(rows: Sequence[Row]) -> list[Row]:
    """Rows of `summary_rows` in words: percent with intervals, levels of 255.

    All have the same columns in the order of the table, with None for what a run does
    not have; the worst case over the attacks stands before each attack.
    """
    attacks = {
        key: words.format(key.removeprefix(prefix))
        for row in rows
        for key in row
        for prefix, words in _PREFIXES.items()
        if key.startswith(prefix)
    }
    return [_table_row(row, attacks) for row in rows]


def _table_row(row: Row, attacks: dict[str, str]) -> Row:
    seconds, to_original = row["seconds_per_image"], row["linf_to_original_max"]
    warnings = [] if row["finished"] else ["unfinished: no totals yet"]
    warnings += [row["warnings"]] if row["warnings"] else []
    return {
        **{name: row[name] for name in ("run", "job", "model", "defense", "source")},
        "images": row["images"],
        "eps": row["eps"] and f"{row['eps']} {row['norm'] or ''}".strip(),
        "clean %": accuracy(row, "clean"),
        "robust % (worst case)": _marked(row, "robust"),
        "claimed %": _marked(row, "claimed"),
        "certified %": share(row, "certified_accuracy"),
        **{words: share(row, key) for key, words in attacks.items()},
        "labels right %": share(row, "labeler_accuracy"),
        "l_inf mean / max (levels of 255)": _mean_max(row, "linf", 255),
        "l_2 mean / max": _mean_max(row, "l2", 1),
        "l_inf to original, max (levels)": to_original and f"{to_original * 255:.3g}",
        "seconds / image": seconds and f"{seconds:.3g}",
        "warnings": "; ".join(warnings) or None,
    }


def _marked(row: Row, kind: str) -> str | None:
    """An accuracy under attack, marked where a check has failed."""
    text = accuracy(row, kind)
    return f"{text} UNRELIABLE" if text and row.get(f"{kind}_doubted") else text


def _mean_max(row: Row, norm: str, scale: int) -> str | None:
    mean, largest = row[f"{norm}_mean"], row[f"{norm}_max"]
    return None if mean is None else f"{mean * scale:.3g} / {largest * scale:.3g}"
