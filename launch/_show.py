"""What mains print of a result."""

import re
import sys
from collections.abc import Iterable

from mspd_jax import runs
from mspd_jax.jobs import Cell, Result


def result(found: Result) -> int:
    """Prints the totals, names unreadable images; gives the exit code."""
    if found.finished_before:
        print(f"finished before: see {found.folder / 'summary.json'}")
    elif found.summary is not None:  # None on all but the first process of a cluster
        summary = runs.read_json(found.folder / "summary.json")
        for field, value in summary.items():
            if field not in ("warnings", "reliability"):
                print(f"{field}: {_text(value)}")
        for warning in summary["warnings"]:
            print(f"warning: {in_flags(warning)}", file=sys.stderr)
    if found.unreadable:
        count = len(found.unreadable)
        print(f"error: {count} images could not be read", file=sys.stderr)
    return 1 if found.unreadable else 0


def cells(found: Iterable[Cell]) -> int:
    """Prints each cell of a grid when it has run, and last what they say together."""
    code, folder = 0, None
    for cell in found:
        folder = cell.grid
        if folder is not None:
            eps = f"eps {cell.job.eps}"
            print(", ".join(filter(None, [cell.name, cell.job.purify, eps])))
        code = max(code, result(cell.result))
    if folder is not None and cell.result.summary is not None:
        for warning in runs.read_json(folder / "summary.json")["warnings"]:
            print(f"warning: {in_flags(warning)}")
    return code


def in_flags(text: str) -> str:
    """A message of the library with its arguments as flags: `eps` as --eps."""
    return re.sub(r"`(\w+)`", r"--\1", text)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
