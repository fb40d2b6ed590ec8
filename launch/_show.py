"""What mains print of a result."""

import json
import re
import sys

from mspd_jax.jobs import Result


def result(found: Result) -> int:
    """Prints the totals, names unreadable images; gives the exit code."""
    if found.summary is not None:  # None on all but the first process of a cluster
        summary = json.loads((found.folder / "summary.json").read_text("utf-8"))
        for field, value in summary.items():
            if field not in ("warnings", "reliability"):
                print(f"{field}: {_text(value)}")
        for warning in summary["warnings"]:
            print(f"warning: {in_flags(warning)}", file=sys.stderr)
    if found.unreadable:
        count = len(found.unreadable)
        print(f"error: {count} images could not be read", file=sys.stderr)
    return 1 if found.unreadable else 0


def in_flags(text: str) -> str:
    """A message of the library with its arguments as flags: `eps` as --eps."""
    return re.sub(r"`(\w+)`", r"--\1", text)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
